"""Who points to whom: that the contracts of a deployment are ours and belong together.

What the admin may change later (fee, treasury, guardian, delay) is not held against the record.
"""

from collections.abc import Mapping
from typing import Any

from verifier_contracts.artifacts import load_artifact
from verifier_contracts.bindings import BoundContract
from verifier_contracts.terms import JobTerms, OfferingRules, ProtocolTerms
from zkml.adapters.evm.rpc import Chain
from zkml.core.dids import token_account
from zkml.errors import DeploymentError, RevertedError, VerifierMismatchError

ARTIFACTS = {
    "timelock": "TimelockController",
    "admin": "ProtocolAdmin",
    "router": "VerifierRouter",
    "account_implementation": "ERC6551Account",
    "calendar": "BusinessCalendar",
    "share_tokens": "ModelTokenFactory",
    "verifiers": "OctetSharedVerifierFactory",
    "registry": "ModelRegistry",
    "lineage": "LineageRegistry",
    "inference": "InferenceVerifier",
    "provers": "ProverRegistry",
    "ledger": "RevenueLedger",
    "manager": "JobManager",
    "offerings": "InitialModelOffering",
}
"""The contracts whose code must be ours. Token, pools, ERC-6551 registry and DID registry may be others'
builds: of those is checked what they do."""

_POINTERS = (
    ("admin", "owner", "timelock"),
    ("router", "admin", "admin"),
    ("ledger", "token", "token"),
    ("ledger", "jobManager", "manager"),
    ("ledger", "admin", "admin"),
    ("ledger", "offerings", "offerings"),
    ("registry", "router", "router"),
    ("registry", "observer", "ledger"),
    ("lineage", "registry", "registry"),
    ("inference", "registry", "registry"),
    ("provers", "token", "token"),
    ("provers", "jobManager", "manager"),
    ("provers", "admin", "admin"),
    ("ledger", "registry", "registry"),
    ("ledger", "lineage", "lineage"),
    ("manager", "ledger", "ledger"),
    ("manager", "provers", "provers"),
    ("manager", "registry", "registry"),
    ("manager", "router", "router"),
    ("manager", "admin", "admin"),
    ("offerings", "ledger", "ledger"),
    ("offerings", "token", "token"),
    ("offerings", "calendar", "calendar"),
    ("offerings", "shareTokens", "share_tokens"),
    ("offerings", "pools", "pools"),
    ("calendar", "admin", "admin"),
)
"""Which contract's getter must name which contract; of two that name each other, in an order that blames the
one which is wrong."""

_PROBE = 0x5EED
"""A model that need not exist, and an account that nobody holds."""


def check_wiring(
    chain: Chain,
    addresses: Mapping[str, str],
    terms: JobTerms,
    protocol: ProtocolTerms,
    rules: OfferingRules,
) -> None:
    """Check that the code is ours, that every contract points to the others, and that terms are the recorded.

    Args:
        chain: where they are.
        addresses: by the names of `Deployment`'s fields.
        terms: of the job manager.
        protocol: of the others.
        rules: of the offerings.

    Raises:
        DeploymentError: a contract is another one, points elsewhere, or has other terms.
        RpcError: see `Chain.request`.
    """
    contracts = {
        name: BoundContract(chain, load_artifact(artifact), addresses[name])
        for name, artifact in ARTIFACTS.items()
    }
    try:
        for contract in contracts.values():
            contract.artifact.verify_code(chain.code(contract.address), where=contract.address)
    except VerifierMismatchError as error:
        raise DeploymentError(
            error.message, hint="the contracts are of another version of zkml: deploy again, or use that one"
        ) from error
    for name, getter, target in _POINTERS:
        _expect(chain, f"{name}'s {getter}", addresses[target], contracts[name].call(getter))
    _check_terms(chain, contracts, terms, protocol)
    _expect(chain, "offerings's rules", rules.as_abi(), contracts["offerings"].call("rules"))
    _check_standards(chain, addresses, contracts["registry"])


def _check_terms(
    chain: Chain, contracts: Mapping[str, BoundContract], terms: JobTerms, protocol: ProtocolTerms
) -> None:
    ages = (protocol.min_commit_blocks, protocol.max_commit_blocks)
    _expect(chain, "manager's terms", terms.as_abi(), contracts["manager"].call("terms"))
    _expect(chain, "admin's caps", protocol.caps.as_abi(), contracts["admin"].call("platformCaps"))
    _expect(chain, "registry's commitment ages", ages, contracts["registry"].call("commitmentAges"))
    delay = contracts["provers"].call("unstakeDelaySeconds")
    _expect(chain, "provers's unstakeDelaySeconds", protocol.unstake_delay_seconds, delay)


def _check_standards(chain: Chain, addresses: Mapping[str, str], registry: BoundContract) -> None:
    """Check that ERC-6551 and ERC-1056 are what answers there, whoever compiled them."""
    account = token_account(
        chain.chain_id,
        accounts=addresses["accounts"],
        implementation=addresses["account_implementation"],
        token_contract=addresses["registry"],
        token_id=_PROBE,
    )
    _expect(chain, "models' ERC-6551 accounts", account, registry.call("accountOf", _PROBE))
    dids = BoundContract(chain, load_artifact("EthereumDIDRegistry"), addresses["did_registry"])
    try:
        owner = dids.call("identityOwner", account)
    except RevertedError as error:
        raise DeploymentError(f"expected a DID registry at {dids.address}, found none") from error
    _expect(chain, "owner of an unknown DID", account, owner)


def _expect(chain: Chain, what: str, recorded: Any, found: Any) -> None:
    if found != recorded:
        raise DeploymentError(
            f"expected the {what} to be {recorded}, found {found} on chain {chain.chain_id}",
            hint="the record was changed: get it again from the deployer",
        )
