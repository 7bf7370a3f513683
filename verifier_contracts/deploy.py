"""Deploy the contracts of a chain, and a circuit's verifier; doing it again deploys nothing twice."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from eth_account.signers.local import LocalAccount
from eth_utils.address import is_address, to_checksum_address

from verifier_contracts.artifacts import ContractArtifact, load_artifact
from verifier_contracts.bindings import contract_errors
from verifier_contracts.contract_errors import known_reverts
from verifier_contracts.deployments import (
    DeployedContract,
    Deployment,
    JobTerms,
    check_contract,
    check_deployment,
    deployment_path,
    read_deployment,
    save_deployment,
    token_unit,
)
from zkml.adapters.atomic_write import write_atomically
from zkml.adapters.evm import abi, transactions
from zkml.adapters.evm.rpc import Chain
from zkml.adapters.evm.transactions import Call
from zkml.core.digests import keccak256
from zkml.core.progress import Progress, ProgressEvent, silent
from zkml.core.records import Address, Hex32, Record, to_hex
from zkml.errors import ConfigError, DeploymentError, FormatError, WrongChainError


class _Unfinished(Record):
    """What a deployment that is under way has deployed so far, by name."""

    tag: ClassVar[str] = "zkml.deployment-progress/1"

    chain_id: int
    genesis_hash: Hex32
    deployer: Address
    contracts: dict[str, DeployedContract]


def creation_code(artifact: ContractArtifact, arguments: Sequence[Any]) -> bytes:
    """Return what creates a contract: its creation code and the encoded arguments of its constructor.

    Raises:
        FormatError: an argument does not fit its type.
    """
    return artifact.creation_code + abi.encode_constructor(artifact.abi, arguments)


def deploy_contract(
    chain: Chain, account: LocalAccount, artifact: ContractArtifact, arguments: Sequence[Any] = ()
) -> DeployedContract:
    """Deploy one contract and check that its code is the artifact's.

    Raises:
        DeploymentError: the chain has other code at the new address.
        ZkmlError: the twin of the constructor's error.
        ChainError: see `transactions.send`.
    """
    code = creation_code(artifact, arguments)
    call = Call(target=None, data=code, what=f"deploy {artifact.name}", reverts=known_reverts())
    with contract_errors():
        receipt = transactions.send_repeatable(chain, account, call)
    if receipt.contract is None:
        raise DeploymentError(f"expected a new {artifact.name}, found none in {receipt.transaction}")
    runtime = chain.code(receipt.contract)
    artifact.verify_code(runtime, where=receipt.contract)
    return DeployedContract(
        address=receipt.contract,
        code_hash=to_hex(keccak256(runtime)),
        creation=to_hex(keccak256(code)),
        transaction=receipt.transaction,
        block=receipt.block,
    )


def deploy_core(
    chain: Chain,
    account: LocalAccount,
    *,
    folder: Path,
    terms: JobTerms | None = None,
    token: str | None = None,
    replace: bool = False,
    progress: Progress = silent,
) -> Deployment:
    """Deploy router, token, registry and job manager, unless the chain has them already.

    Args:
        chain: where.
        account: who pays for gas; on local chains it may mint the token.
        folder: where deployment records lie.
        terms: of the job manager; the defaults when None.
        token: address of the payment token; None deploys a worthless one, on local chains only.
        replace: deploy anew where the recorded contracts are gone, or of another version, or have other
            terms. Always so on local chains.
        progress: hears of every contract.

    Returns:
        The deployment, checked against the chain, as it is filed in `folder`.

    Raises:
        ConfigError: no token is given, and the chain is not a local one.
        DeploymentError: another deployment is recorded, and `replace` is not set.
        StorageError: the record cannot be written.
        ChainError: see `transactions.send`.
    """
    terms = terms or JobTerms()
    if token is None and not chain.is_local:
        raise ConfigError(
            f"expected the address of a payment token on chain {chain.chain_id}, found none",
            hint="the local token can be deployed on local chains only",
        )
    existing = _existing(chain, folder, terms, token, replace=replace or chain.is_local)
    if existing is not None:
        return existing
    steps = _Steps(chain, account, folder, progress)
    router = steps.deploy("router", "VerifierRouter")
    paid_in = steps.deploy("token", "LocalPaymentToken") if token is None else _foreign(chain, token)
    registry = steps.deploy("registry", "ModelRegistry", router.address)
    manager = steps.deploy("manager", "JobManager", registry.address, paid_in.address, terms.as_abi())
    decimals, symbol = token_unit(chain, paid_in.address)
    deployment = Deployment(
        chain_id=chain.chain_id,
        genesis_hash=chain.genesis_hash,
        deployer=account.address,
        block=router.block or 0,
        router=router,
        token=paid_in,
        token_decimals=decimals,
        token_symbol=symbol,
        registry=registry,
        manager=manager,
        terms=terms,
    )
    check_deployment(chain, deployment)
    save_deployment(folder, chain, deployment)
    steps.finish()
    return deployment


def _existing(
    chain: Chain, folder: Path, terms: JobTerms, token: str | None, *, replace: bool
) -> Deployment | None:
    """Return the recorded deployment if it is what is asked for, None if there is none or it may go."""
    path = deployment_path(folder, chain)
    if not path.exists():
        return None
    try:
        deployment = read_deployment(path)
        check_deployment(chain, deployment)
        _check_asked_for(deployment, terms, token, path)
    except (DeploymentError, WrongChainError, FormatError) as error:
        if not replace:
            raise DeploymentError(error.message, hint="deploy anew with --replace") from error
        return None
    return deployment


def _check_asked_for(deployment: Deployment, terms: JobTerms, token: str | None, path: Path) -> None:
    if deployment.terms != terms:
        raise DeploymentError(f"expected a deployment with {terms}, found {deployment.terms} in {path}")
    if token is not None and token.lower() != deployment.token.address.lower():
        raise DeploymentError(
            f"expected a deployment paid in {token}, found {deployment.token.address} in {path}"
        )


def _foreign(chain: Chain, token: str) -> DeployedContract:
    if not is_address(token):
        raise ConfigError(f"expected the address of a payment token, found {token!r:.80}")
    code = chain.code(token)
    if not code:
        raise DeploymentError(f"expected a payment token, found no contract at {token}")
    return DeployedContract(address=str(to_checksum_address(token)), code_hash=to_hex(keccak256(code)))


class _Steps:
    """Deploys one contract after the other and keeps what is done, so that a second run goes on there."""

    def __init__(self, chain: Chain, account: LocalAccount, folder: Path, progress: Progress) -> None:
        self._chain = chain
        self._account = account
        self._progress = progress
        self._path = deployment_path(folder, chain).with_suffix(".partial.json")
        self._done = self._read_done()

    def deploy(self, name: str, artifact_name: str, *arguments: Any) -> DeployedContract:
        """Deploy a contract, or take the one that an interrupted run deployed."""
        self._progress(ProgressEvent(stage=f"deploy {artifact_name}"))
        artifact = load_artifact(artifact_name)
        contract = self._reusable(name, creation_code(artifact, arguments))
        if contract is None:
            contract = deploy_contract(self._chain, self._account, artifact, arguments)
            self._done[name] = contract
            self._write_done()
        self._progress(
            ProgressEvent(stage=f"deploy {artifact_name}", finished=True, note=f"at {contract.address}")
        )
        return contract

    def finish(self) -> None:
        """Forget what was done: it is in the deployment's record now."""
        self._path.unlink(missing_ok=True)

    def _reusable(self, name: str, code: bytes) -> DeployedContract | None:
        found = self._done.get(name)
        if found is None or found.creation != to_hex(keccak256(code)):
            return None
        try:
            check_contract(self._chain, name, found)
        except DeploymentError:
            return None
        return found

    def _read_done(self) -> dict[str, DeployedContract]:
        try:
            unfinished = _Unfinished.from_bytes(self._path.read_bytes(), where=str(self._path))
        except (OSError, FormatError):
            # Damaged or none: at worst a contract is deployed again that nobody points to.
            return {}
        mine = (self._chain.chain_id, self._chain.genesis_hash, self._account.address)
        found = (unfinished.chain_id, unfinished.genesis_hash, unfinished.deployer)
        return dict(unfinished.contracts) if found == mine else {}

    def _write_done(self) -> None:
        unfinished = _Unfinished(
            chain_id=self._chain.chain_id,
            genesis_hash=self._chain.genesis_hash,
            deployer=self._account.address,
            contracts=self._done,
        )
        write_atomically(self._path, unfinished.to_bytes())
