"""Where the contracts of one chain are: a record, filed under the chain and checked against it.

A record is only as good as the chain says: chain id, genesis block, and the code at every address.
"""

from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from verifier_contracts.artifacts import load_artifact
from verifier_contracts.bindings import BoundContract
from verifier_contracts.deployment_wiring import check_wiring
from verifier_contracts.terms import JobTerms, OfferingRules, ProtocolTerms
from zkml.adapters.atomic_write import write_atomically
from zkml.adapters.evm.rpc import Chain
from zkml.core.records import Address, Hex32, Record, to_hex
from zkml.errors import DeploymentError, FormatError, RevertedError, RpcError, WrongChainError

MAX_DECIMALS = 36
MAX_SYMBOL_CHARACTERS = 16

_DEPLOY_HINT = "deploy with `zkml chain deploy`, or put the deployer's file there"


class DeployedContract(BaseModel):
    """One contract and how it came to be.

    Attributes:
        address: checksummed.
        code_hash: keccak256 of its code.
        creation: keccak256 of creation code and constructor arguments; None if others deployed it.
        transaction: what created it; None if others did.
        block: height of that transaction; None if others did.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    address: Address
    code_hash: Hex32
    creation: Hex32 | None = None
    transaction: Hex32 | None = None
    block: int | None = None


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("expected letters that can be printed")
    return text


class Deployment(Record):
    """The contracts of a chain. `block` is where the search for events begins.

    Amounts are read and shown with the token's decimals and symbol of this record: an endpoint that could
    move the point would move the price.

    Attributes:
        timelock: OpenZeppelin's TimelockController, the admin's owner.
        admin: ProtocolAdmin.
        router: VerifierRouter.
        token: what everything is paid in.
        accounts: the ERC-6551 registry.
        account_implementation: what the models' ERC-6551 accounts run.
        did_registry: EthereumDIDRegistry.
        calendar: BusinessCalendar.
        pools: the factory of Uniswap v2.
        share_tokens: ModelTokenFactory.
        verifiers: the factory of the shared verifier that needs no generated source.
        registry: ModelRegistry.
        lineage: LineageRegistry.
        inference: InferenceVerifier.
        provers: ProverRegistry, which holds stakes.
        ledger: RevenueLedger, which holds escrow and income.
        manager: JobManager.
        offerings: InitialModelOffering.
        terms: what the job manager was constructed with.
        protocol: what the others were.
        offering_rules: what the offerings were.
    """

    tag: ClassVar[str] = "zkml.deployment/4"

    chain_id: int
    genesis_hash: Hex32
    deployer: Address
    block: int
    timelock: DeployedContract
    admin: DeployedContract
    router: DeployedContract
    token: DeployedContract
    token_decimals: Annotated[int, Field(ge=0, le=MAX_DECIMALS)]
    token_symbol: Annotated[str, Field(max_length=MAX_SYMBOL_CHARACTERS), AfterValidator(_printable)]
    accounts: DeployedContract
    account_implementation: DeployedContract
    did_registry: DeployedContract
    calendar: DeployedContract
    pools: DeployedContract
    share_tokens: DeployedContract
    verifiers: DeployedContract
    registry: DeployedContract
    lineage: DeployedContract
    inference: DeployedContract
    provers: DeployedContract
    ledger: DeployedContract
    manager: DeployedContract
    offerings: DeployedContract
    terms: JobTerms
    protocol: ProtocolTerms
    offering_rules: OfferingRules

    @property
    def contracts(self) -> dict[str, DeployedContract]:
        """The contracts by the names of their fields, in the order they are deployed."""
        found = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: value for name, value in found.items() if isinstance(value, DeployedContract)}

    @property
    def addresses(self) -> dict[str, str]:
        """Where the contracts are, by the names of their fields."""
        return {name: contract.address for name, contract in self.contracts.items()}


def deployment_path(folder: Path, chain: Chain) -> Path:
    """Return the file of a chain's deployment: local chains of one id differ by their genesis."""
    return folder / f"{chain.chain_id}-{chain.genesis_hash[2:10]}.json"


def save_deployment(folder: Path, chain: Chain, deployment: Deployment) -> Path:
    """Write the record of a chain's deployment and return its path.

    Raises:
        StorageError: no space or no permission; an older record stays as it was.
    """
    path = deployment_path(folder, chain)
    write_atomically(path, deployment.to_bytes() + b"\n")
    return path


def read_deployment(path: Path) -> Deployment:
    """Read a record without asking any chain.

    Raises:
        DeploymentError: there is none.
        FormatError: it is damaged.
    """
    try:
        return Deployment.from_bytes(path.read_bytes(), where=str(path))
    except FileNotFoundError as error:
        raise DeploymentError(
            f"expected a deployment record, found none at {path}", hint=_DEPLOY_HINT
        ) from error
    except OSError as error:
        raise FormatError(f"expected a readable record, found {error.strerror} at {path}") from error


def load_deployment(folder: Path, chain: Chain) -> Deployment:
    """Read the record of a chain's deployment and check it against the chain.

    Raises:
        DeploymentError: there is none; or the contracts are not on this chain with this code and wiring.
        WrongChainError: it is of another chain.
        FormatError: it is damaged.
        RpcError: see `Chain.request`.
    """
    deployment = read_deployment(deployment_path(folder, chain))
    check_deployment(chain, deployment)
    return deployment


def check_deployment(chain: Chain, deployment: Deployment) -> None:
    """Check that a deployment is on this chain: ids, code, our code, and who points to whom.

    Raises:
        WrongChainError: it is of another chain.
        DeploymentError: a contract is missing, has other code, or points elsewhere; or the token has other
            decimals or another symbol.
        RpcError: see `Chain.request`.
    """
    found = (chain.chain_id, chain.genesis_hash)
    expected = (deployment.chain_id, deployment.genesis_hash)
    if found != expected:
        raise WrongChainError(
            f"expected the chain {expected[0]} with genesis {expected[1]}, "
            f"found {found[0]} with genesis {found[1]} at {chain.endpoint}",
            hint="correct --rpc-url, or use the deployment record of this chain",
        )
    for name, contract in deployment.contracts.items():
        check_contract(chain, name, contract)
    check_wiring(
        chain, deployment.addresses, deployment.terms, deployment.protocol, deployment.offering_rules
    )
    _check_token_unit(chain, deployment)


def check_contract(chain: Chain, name: str, contract: DeployedContract) -> None:
    """Check that a contract's code is the recorded one; raises as `check_deployment` does."""
    code_hash = to_hex(chain.code_hash(contract.address))
    if code_hash != contract.code_hash:
        raise DeploymentError(
            f"expected the {name} with code {contract.code_hash}, found {code_hash} at {contract.address}",
            hint="the chain was reset, or the record is of another one: deploy again",
            contract=name,
        )


def token_unit(chain: Chain, address: str) -> tuple[int, str]:
    """Return a token's decimals, and its symbol without what cannot be printed on one short line.

    Raises:
        RpcError: no token, or more than 36 decimals; see also `Chain.request`.
    """
    token = BoundContract(chain, load_artifact("LocalPaymentToken"), address)
    decimals, symbol = int(token.call("decimals")), str(token.call("symbol"))
    if decimals > MAX_DECIMALS:
        raise RpcError(f"expected at most {MAX_DECIMALS} decimals, found {decimals} in {address}")
    return decimals, "".join(letter for letter in symbol if letter.isprintable())[:MAX_SYMBOL_CHARACTERS]


def _check_token_unit(chain: Chain, deployment: Deployment) -> None:
    """Check that the chain reads and shows amounts as the record does."""
    recorded = (deployment.token_decimals, deployment.token_symbol)
    try:
        found = token_unit(chain, deployment.token.address)
    except RevertedError as error:
        raise DeploymentError(
            f"expected a payment token at {deployment.token.address}, found none"
        ) from error
    if found != recorded:
        raise DeploymentError(
            f"expected a token of {recorded[0]} decimals called {recorded[1]!r}, "
            f"found {found[0]} and {found[1]!r} on chain {chain.chain_id}",
            hint="the endpoint lies, or the record was changed: ask another endpoint before you pay anybody",
        )
