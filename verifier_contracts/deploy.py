"""Deploy the contracts of a chain; doing it again deploys nothing twice.

Some contracts name others that come after them, and none has a setter: so addresses are computed before.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from eth_account.signers.local import LocalAccount
from eth_utils.address import is_address, to_checksum_address

from verifier_contracts.ceremonies import PUBLIC_CEREMONIES
from verifier_contracts.deploy_contract import creation_address, creation_code, deploy_contract
from verifier_contracts.deploy_steps import DeploymentSteps
from verifier_contracts.deployments import (
    DeployedContract,
    Deployment,
    check_deployment,
    deployment_path,
    read_deployment,
    save_deployment,
    token_unit,
)
from verifier_contracts.terms import (
    DAY_SECONDS,
    JobTerms,
    OfferingRules,
    ProtocolTerms,
    default_job_terms,
    default_offering_rules,
    default_protocol_terms,
)
from zkml.adapters.evm.rpc import Chain
from zkml.core.digests import keccak256
from zkml.core.federal_holidays import federal_holidays
from zkml.core.progress import Progress, silent
from zkml.core.records import to_hex
from zkml.errors import ConfigError, DeploymentError, FormatError, WrongChainError

__all__ = ["creation_address", "creation_code", "deploy_contract", "deploy_core"]

DEPLOYMENT_ORDER = (
    ("timelock", "TimelockController"),
    ("admin", "ProtocolAdmin"),
    ("router", "VerifierRouter"),
    ("token", "LocalPaymentToken"),
    ("accounts", "ERC6551Registry"),
    ("account_implementation", "ERC6551Account"),
    ("did_registry", "EthereumDIDRegistry"),
    ("calendar", "BusinessCalendar"),
    ("pools", "UniswapV2Factory"),
    ("share_tokens", "ModelTokenFactory"),
    ("verifiers", "OctetSharedVerifierFactory"),
    ("registry", "ModelRegistry"),
    ("lineage", "LineageRegistry"),
    ("inference", "InferenceVerifier"),
    ("provers", "ProverRegistry"),
    ("ledger", "RevenueLedger"),
    ("manager", "JobManager"),
    ("offerings", "InitialModelOffering"),
)
"""Fields of `Deployment` and their contracts; token, accounts, did_registry and pools may be given."""

_LINKED = tuple(name for name, _ in DEPLOYMENT_ORDER[11:])
"""Contracts that name one another, deployed in consecutive transactions."""

HOLIDAY_YEARS = 5
"""So many years of holidays the calendar begins with; the timelock adds further ones."""

_ATTEMPTS = 3
_ZERO_ADDRESS = "0x" + "00" * 20


def deploy_core(
    chain: Chain,
    account: LocalAccount,
    *,
    folder: Path,
    terms: JobTerms | None = None,
    protocol: ProtocolTerms | None = None,
    token: str | None = None,
    accounts: str | None = None,
    did_registry: str | None = None,
    pools: str | None = None,
    rules: OfferingRules | None = None,
    replace: bool = False,
    progress: Progress = silent,
) -> Deployment:
    """Deploy all contracts, unless the chain has them already.

    Args:
        chain: where.
        account: who pays for gas; on local chains it may mint the token.
        folder: where deployment records lie.
        terms: of the job manager; the chain's defaults when None.
        protocol: of the others; None takes the recorded ones, or the chain's defaults with every office the
            account's.
        token: address of the payment token; None deploys a worthless one, on local chains only.
        accounts: address of an ERC-6551 registry, such as the well-known one; None deploys one.
        did_registry: address of an ERC-1056 registry; None deploys one.
        pools: address of a factory of Uniswap v2, such as the chain's own; None deploys one without fees.
        rules: of offerings; the chain's defaults when None.
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
    terms = terms or default_job_terms(is_local=chain.is_local)
    if token is None and not chain.is_local:
        raise ConfigError(
            f"expected the address of a payment token on chain {chain.chain_id}, found none",
            hint="the local token can be deployed on local chains only",
        )
    rules = rules or default_offering_rules(is_local=chain.is_local)
    given = {"token": token, "accounts": accounts, "did_registry": did_registry, "pools": pools}
    asked = _Asked(terms, protocol, rules, given)
    existing = _existing(chain, folder, asked, replace=replace or chain.is_local)
    if existing is not None:
        return existing
    protocol = protocol or default_protocol_terms(account.address, is_local=chain.is_local)
    steps = DeploymentSteps(chain, account, folder, progress)
    contracts = _deploy_foundation(steps, protocol, given)
    contracts |= _deploy_linked(steps, terms, protocol, rules, contracts)
    decimals, symbol = token_unit(chain, contracts["token"].address)
    deployment = Deployment(
        chain_id=chain.chain_id,
        genesis_hash=chain.genesis_hash,
        deployer=account.address,
        block=contracts["timelock"].block or 0,
        token_decimals=decimals,
        token_symbol=symbol,
        terms=terms,
        protocol=protocol,
        offering_rules=rules,
        **contracts,
    )
    check_deployment(chain, deployment)
    save_deployment(folder, chain, deployment)
    steps.finish()
    return deployment


def _deploy_foundation(
    steps: DeploymentSteps, protocol: ProtocolTerms, given: dict[str, str | None]
) -> dict[str, DeployedContract]:
    """Deploy what names nothing that comes after it."""
    arguments: dict[str, tuple[Any, ...]] = {
        # Whoever likes executes what has been proposed and has waited; nobody administers the timelock.
        "timelock": (
            protocol.timelock_delay_seconds,
            [protocol.administrator],
            [_ZERO_ADDRESS],
            _ZERO_ADDRESS,
        )
    }
    contracts: dict[str, DeployedContract] = {}
    for name, artifact in DEPLOYMENT_ORDER[: -len(_LINKED)]:
        if name == "admin":
            arguments[name] = (
                contracts["timelock"].address,
                protocol.treasury,
                protocol.guardian,
                protocol.platform.as_abi(),
                protocol.caps.as_abi(),
            )
        if name == "router":
            arguments[name] = (contracts["admin"].address, PUBLIC_CEREMONIES)
        if name == "calendar":
            arguments[name] = (contracts["admin"].address, _holidays_from(steps.chain.now()))
        if name == "pools":
            # Nobody can ever turn the protocol's fee of these pools on.
            arguments[name] = (_ZERO_ADDRESS,)
        address = given.get(name)
        contracts[name] = (
            steps.deploy(name, artifact, *arguments.get(name, ()))
            if address is None
            else _foreign(steps.chain, name, address)
        )
    return contracts


def _deploy_linked(
    steps: DeploymentSteps,
    terms: JobTerms,
    protocol: ProtocolTerms,
    rules: OfferingRules,
    foundation: dict[str, DeployedContract],
) -> dict[str, DeployedContract]:
    """Deploy the contracts that name one another; anew if another transaction comes between."""
    artifacts = dict(DEPLOYMENT_ORDER)
    for _ in range(_ATTEMPTS):
        predicted = steps.predict(_LINKED)
        where = {name: contract.address for name, contract in foundation.items()} | predicted
        arguments = _linked_arguments(where, terms, protocol, rules)
        contracts: dict[str, DeployedContract] = {}
        for name in _LINKED:
            if steps.next_address(name, predicted[name]) != predicted[name]:
                break
            contracts[name] = steps.deploy(name, artifacts[name], *arguments[name])
            if contracts[name].address != predicted[name]:
                break
        else:
            return contracts
    raise DeploymentError(
        f"expected {len(_LINKED)} transactions of {steps.account.address} in a row, "
        f"found others between them in {_ATTEMPTS} attempts",
        hint="another process uses the deployer's key: stop it and deploy again",
    )


def _linked_arguments(
    where: dict[str, str], terms: JobTerms, protocol: ProtocolTerms, rules: OfferingRules
) -> dict[str, tuple[Any, ...]]:
    """Return the constructor arguments of the contracts that name one another."""
    return {
        "registry": (
            where["router"],
            where["ledger"],
            where["accounts"],
            where["account_implementation"],
            protocol.min_commit_blocks,
            protocol.max_commit_blocks,
        ),
        "lineage": (where["registry"],),
        "inference": (where["registry"],),
        "provers": (where["token"], where["manager"], where["admin"], protocol.unstake_delay_seconds),
        "ledger": (
            where["token"],
            where["manager"],
            where["offerings"],
            where["lineage"],
            where["admin"],
        ),
        "manager": (where["ledger"], where["provers"], terms.as_abi()),
        "offerings": (
            where["ledger"],
            where["calendar"],
            where["share_tokens"],
            where["pools"],
            rules.as_abi(),
        ),
    }


def _holidays_from(now: int) -> list[int]:
    """Return the federal holidays that have not begun, as days of the calendar."""
    today, year = now // DAY_SECONDS, datetime.fromtimestamp(now, UTC).year
    years = range(year, year + HOLIDAY_YEARS)
    return [day for one in years for day in federal_holidays(one) if day > today]


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a deployment is asked to be.

    Attributes:
        terms: of the job manager.
        protocol: of the others; None takes whatever is recorded.
        rules: of offerings.
        given: addresses of contracts that others deployed, by name; None where one is to be deployed.
    """

    terms: JobTerms
    protocol: ProtocolTerms | None
    rules: OfferingRules
    given: dict[str, str | None]

    def check(self, deployment: Deployment, path: Path) -> None:
        """Raise DeploymentError unless a recorded deployment is that."""
        pairs: list[tuple[object, object]] = [
            (self.terms, deployment.terms),
            (self.rules, deployment.offering_rules),
        ]
        if self.protocol is not None:
            pairs.append((self.protocol, deployment.protocol))
        for asked, recorded in pairs:
            if asked != recorded:
                raise DeploymentError(f"expected a deployment with {asked}, found {recorded} in {path}")
        for name, address in self.given.items():
            found = deployment.addresses[name]
            if address is not None and address.lower() != found.lower():
                raise DeploymentError(
                    f"expected a deployment with the {name} {address}, found {found} in {path}"
                )


def _existing(chain: Chain, folder: Path, asked: _Asked, *, replace: bool) -> Deployment | None:
    """Return the recorded deployment if it is what is asked for, None if there is none or it may go."""
    path = deployment_path(folder, chain)
    if not path.exists():
        return None
    try:
        deployment = read_deployment(path)
        check_deployment(chain, deployment)
        asked.check(deployment, path)
    except (DeploymentError, WrongChainError, FormatError) as error:
        if not replace:
            raise DeploymentError(error.message, hint="deploy anew with --replace") from error
        return None
    return deployment


def _foreign(chain: Chain, name: str, address: str) -> DeployedContract:
    if not is_address(address):
        raise ConfigError(f"expected the address of a contract as {name}, found {address!r:.80}")
    code = chain.code(address)
    if not code:
        raise DeploymentError(f"expected a contract as {name}, found none at {address}")
    return DeployedContract(address=str(to_checksum_address(address)), code_hash=to_hex(keccak256(code)))
