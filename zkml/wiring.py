"""Compose adapters and bindings from settings: the one place where the parts of a role meet."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from eth_account.signers.local import LocalAccount

from marketplace.calendar import BusinessCalendarBinding
from marketplace.jobs import JobManagerBinding
from marketplace.offerings import OfferingsBinding
from marketplace.revenue import RevenueLedgerBinding
from marketplace.tabs import TabsBinding
from marketplace.tokens import PaymentToken
from registry.lineage import LineageRegistryBinding
from registry.models import ModelRegistryBinding
from registry.provers import ProverRegistryBinding
from verifier_contracts.admin import ProtocolAdminBinding
from verifier_contracts.deployments import Deployment, load_deployment
from verifier_contracts.router import VerifierRouter
from zkml.adapters.account_locks import machine_locks
from zkml.adapters.evm.anvil import detached_endpoint
from zkml.adapters.evm.rpc import Chain
from zkml.adapters.keys.key_files import load_key_file, load_key_variable
from zkml.adapters.store.directory import DirectoryStore
from zkml.config.home import Home
from zkml.config.settings import Settings
from zkml.errors import ConfigError, KeyFileError

KEY_VARIABLE = "ZKML_PRIVATE_KEY"


@dataclass(frozen=True, slots=True)
class Market:
    """A chain and the bindings of its deployment, checked against it."""

    chain: Chain
    deployment: Deployment
    router: VerifierRouter
    admin: ProtocolAdminBinding
    registry: ModelRegistryBinding
    lineage: LineageRegistryBinding
    provers: ProverRegistryBinding
    ledger: RevenueLedgerBinding
    manager: JobManagerBinding
    tabs: TabsBinding
    offerings: OfferingsBinding
    calendar: BusinessCalendarBinding
    token: PaymentToken


def open_chain(settings: Settings, home: Home) -> Chain:
    """Connect to the configured endpoint, or to the embedded node of this home.

    Raises:
        ConfigError: neither is there.
        RpcError, WrongChainError: see `Chain`.
    """
    endpoint = settings.chain.rpc_url or detached_endpoint(home.chain)
    if endpoint is None:
        raise ConfigError(
            f"expected an endpoint, found neither chain.rpc_url nor a running node in {home.root}",
            hint="start the embedded node with `zkml chain up`, or give --rpc-url",
        )
    return connect(settings, endpoint)


def connect(settings: Settings, endpoint: str) -> Chain:
    """Connect to `endpoint` with the configured limits; raises as `Chain` does."""
    return Chain(
        endpoint,
        expected_chain_id=settings.chain.chain_id or None,
        timeout_seconds=settings.chain.timeout_seconds,
        receipt_timeout_seconds=settings.chain.receipt_timeout_seconds,
        confirmations=settings.chain.confirmations,
        max_fee_gwei=settings.chain.max_fee_gwei,
        sending_lock=machine_locks(),
    )


def open_market(home: Home, chain: Chain) -> Market:
    """Bind the contracts that the chain's deployment record names.

    Raises:
        DeploymentError: no record, or the contracts are not on this chain with this code.
        WrongChainError, FormatError, RpcError: see `load_deployment`.
    """
    return bind(chain, load_deployment(home.deployments, chain))


def bind(chain: Chain, deployment: Deployment) -> Market:
    """Bind the contracts of a deployment that was checked against the chain."""
    return Market(
        chain=chain,
        deployment=deployment,
        router=VerifierRouter(chain, deployment.router.address),
        admin=ProtocolAdminBinding(chain, deployment.admin.address),
        registry=ModelRegistryBinding(chain, deployment.registry.address),
        lineage=LineageRegistryBinding(chain, deployment.lineage.address, from_block=deployment.block),
        provers=ProverRegistryBinding(chain, deployment.provers.address),
        ledger=RevenueLedgerBinding(chain, deployment.ledger.address, from_block=deployment.block),
        manager=JobManagerBinding(chain, deployment.manager.address, from_block=deployment.block),
        tabs=TabsBinding(chain, deployment.manager.address, from_block=deployment.block),
        offerings=OfferingsBinding(chain, deployment.offerings.address, from_block=deployment.block),
        calendar=BusinessCalendarBinding(chain, deployment.calendar.address),
        token=PaymentToken(
            chain,
            deployment.token.address,
            decimals=deployment.token_decimals,
            symbol=deployment.token_symbol,
        ),
    )


def open_store(home: Home) -> DirectoryStore:
    """Return the content-addressed store of this home."""
    return DirectoryStore(home.artifacts)


def account_for(
    role: str, settings: Settings, home: Home, *, is_local: bool, environment: Mapping[str, str]
) -> LocalAccount:
    """Return the account of a role: the configured key, or on a local chain the role's own key file.

    Args:
        role: publisher, requester or prover; names the file `keys/<role>.key` of local chains.
        settings: of this run.
        home: of this run.
        is_local: whether the chain's id is a local one; elsewhere a key must be configured.
        environment: where ZKML_PRIVATE_KEY is looked up.

    Raises:
        KeyFileError: no key is configured, or the file is missing, readable by others or of another form.
    """
    if settings.keys.key_file:
        password = settings.keys.password_file
        return load_key_file(
            Path(settings.keys.key_file).expanduser(),
            password_file=Path(password).expanduser() if password else None,
        )
    if KEY_VARIABLE in environment:
        return load_key_variable(KEY_VARIABLE, environment)
    local = home.keys / f"{role}.key"
    if is_local and local.exists():
        return load_key_file(local)
    raise KeyFileError(
        f"expected the {role}'s key, found neither --key-file nor {KEY_VARIABLE}"
        + (f" nor {local}" if is_local else ""),
        hint="on a local chain, `zkml chain deploy` makes and funds one key for each role"
        if is_local
        else "give --key-file FILE (hexadecimal or keystore, mode 0600)",
    )
