"""Circuits without a compiler: one verifier and one factory a system and chain, and a key a circuit.

Where they stand is in the deployment's record, or remembered in a file, and checked against the chain each
time; losing that file costs a deployment and nothing else. A factory is nobody's, and does the same for all.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from eth_account.signers.local import LocalAccount

from verifier_contracts.artifacts import ContractArtifact, load_artifact
from verifier_contracts.bindings import BoundContract
from verifier_contracts.deploy import deploy_contract
from verifier_contracts.deploy_verifier import PinnedCircuit, VerifierTerms
from verifier_contracts.deployments import Deployment, deployment_path
from verifier_contracts.router import VerifierRouter
from verifier_contracts.shared_key import SharedKey
from verifier_contracts.shared_systems import SharedSystem
from zkml.adapters.atomic_write import write_atomically
from zkml.adapters.evm.answers import TransactionReceipt
from zkml.adapters.evm.rpc import Chain
from zkml.adapters.evm.transactions import Call
from zkml.core.digests import keccak256
from zkml.core.records import Address, Hex32, Record
from zkml.errors import BindingError, FormatError, RevertedError, RpcError, VerifierMismatchError


class _Remembered(Record):
    """Where a chain has a system's factory."""

    tag: ClassVar[str] = "zkml.shared-verifier/1"

    chain_id: int
    genesis_hash: Hex32
    factory: Address


@dataclass(frozen=True, slots=True)
class SharedVerifier:
    """A system's shared verifier on a chain.

    Attributes:
        system: whose it is.
        factory: stores keys for it, and makes adapters.
        implementation: what adapters are clones of.
        implementation_code_hash: what an audit vouches for: it covers the address and code of the inner one.
        inner: address of the verifier that the implementation calls; None where it verifies by itself.
    """

    system: SharedSystem
    factory: BoundContract
    implementation: str
    implementation_code_hash: bytes
    inner: str | None

    @property
    def verifier(self) -> str:
        """Where the code is that decides."""
        return self.inner or self.implementation

    def has_key(self, key: SharedKey) -> bool:
        """Say whether a key is stored."""
        return bool(self.factory.call("hasKey", key.digest))


def deploy_shared_verifier(
    chain: Chain,
    account: LocalAccount,
    deployment: Deployment,
    system: SharedSystem,
    inner: ContractArtifact | None,
    *,
    folder: Path,
) -> SharedVerifier:
    """Deploy a system's shared verifier and its factory, unless the chain or the deployment has them.

    Args:
        chain: where.
        account: who pays for gas.
        deployment: the chain's.
        system: whose.
        inner: the verifier that it calls, compiled from generated source; None where it verifies by itself.
        folder: where deployment records lie.

    Raises:
        VerifierMismatchError: what the deployment has is of another version.
        StorageError: where they stand cannot be written down.
        ChainError: see `transactions.send`.
    """
    known = find_shared_verifier(chain, deployment, system, inner, folder=folder)
    if known is not None:
        return known
    arguments = () if inner is None else (deploy_contract(chain, account, inner).address,)
    factory = deploy_contract(chain, account, load_artifact(system.factory), arguments)
    remembered = _Remembered(
        chain_id=chain.chain_id, genesis_hash=chain.genesis_hash, factory=factory.address
    )
    write_atomically(_path(chain, system, folder), remembered.to_bytes())
    return _bind(chain, factory.address, system, inner)


def find_shared_verifier(
    chain: Chain,
    deployment: Deployment,
    system: SharedSystem,
    inner: ContractArtifact | None,
    *,
    folder: Path,
) -> SharedVerifier | None:
    """Return the shared verifier that was deployed before, or None where there is none of this code.

    Raises:
        VerifierMismatchError: what the deployment has is of another version.
    """
    if system.deployed_as is not None:
        return _bind(chain, deployment.addresses[system.deployed_as], system, inner)
    try:
        found = _Remembered.from_bytes(
            _path(chain, system, folder).read_bytes(), where="the shared verifier's record"
        )
        if (found.chain_id, found.genesis_hash) != (chain.chain_id, chain.genesis_hash):
            return None
        return _bind(chain, found.factory, system, inner)
    except (OSError, FormatError, VerifierMismatchError, RevertedError, RpcError):
        # A chain that began anew, a damaged file, another version: at worst it is deployed once more.
        return None


def add_shared_circuit(
    account: LocalAccount,
    router: VerifierRouter,
    shared: SharedVerifier,
    key: SharedKey,
    terms: VerifierTerms,
) -> tuple[PinnedCircuit, TransactionReceipt | None]:
    """Store a key, make the circuit's adapter and add the circuit: one transaction, and no compiler.

    Args:
        account: who pays for gas.
        router: the deployment's router.
        shared: the chain's shared verifier.
        key: the circuit's key.
        terms: what to pin.

    Returns:
        The circuit and the transaction's receipt; None where the circuit was there.

    Raises:
        LayoutError: the key is one of a circuit with other tensors.
        VerifierMismatchError: the terms are for another key.
        UnsuitableCircuitError: the class is refused.
        RevertedError: the gas limit is out of range, or a pin is empty.
        ChainError: see `transactions.send`.
    """
    _check_terms(key, terms)
    chain = shared.factory.chain
    call = _adding(router, shared, key, terms)
    circuit_id = bytes(shared.factory.simulate(account.address, *call))
    receipt = None
    if not router.exists(circuit_id):
        receipt = shared.factory.transact(account, *call)
    spec = router.circuit(circuit_id)
    if spec != terms.spec(spec.adapter, keccak256(chain.code(spec.adapter))):
        raise BindingError(f"expected the circuit that was asked for, found another at 0x{circuit_id.hex()}")
    return PinnedCircuit(
        circuit_id, spec, shared.verifier, is_new=receipt is not None, inner=shared.inner
    ), receipt


def plan_shared_circuit(
    router: VerifierRouter, shared: SharedVerifier, key: SharedKey, terms: VerifierTerms
) -> Call:
    """Return the call that `add_shared_circuit` would send for a circuit that is not there.

    Raises:
        LayoutError, VerifierMismatchError: see there.
    """
    _check_terms(key, terms)
    return shared.factory.plan(*_adding(router, shared, key, terms))


def _adding(
    router: VerifierRouter, shared: SharedVerifier, key: SharedKey, terms: VerifierTerms
) -> tuple[str, object, object, object]:
    """Return the factory's function that adds a circuit, and its arguments: a key is sent once."""
    if shared.has_key(key):
        return "addCircuit", router.address, key.digest, _circuit_terms(terms)
    return "storeKeyAndAddCircuit", router.address, key.words, _circuit_terms(terms)


def _check_terms(key: SharedKey, terms: VerifierTerms) -> None:
    if terms.verifying_key_digest != key.digest:
        raise VerifierMismatchError(
            f"expected terms for the key 0x{key.digest.hex()}, found 0x{terms.verifying_key_digest.hex()}"
        )
    key.check_tensors(terms.layout, terms.domain)


def _circuit_terms(terms: VerifierTerms) -> tuple[object, ...]:
    """Return the terms in the order of the factory's struct."""
    return (
        terms.weight_commitment,
        terms.proof_system_id,
        terms.layout.as_abi(),
        terms.domain.as_abi(),
        terms.gas_limit,
        terms.verifier_class,
    )


def _bind(chain: Chain, address: str, system: SharedSystem, inner: ContractArtifact | None) -> SharedVerifier:
    """Check that a factory is ours and stands on exactly this verifier."""
    factory = BoundContract(chain, load_artifact(system.factory), address)
    factory.artifact.verify_code(chain.code(address), where=address)
    called = None
    if inner is not None:
        called = str(factory.call("verifier"))
        inner.verify_code(chain.code(called), where=called)
    implementation = str(factory.call("IMPLEMENTATION"))
    code = chain.code(implementation)
    system.code.verify_code(code, where=implementation)
    return SharedVerifier(system, factory, implementation, keccak256(code), called)


def _path(chain: Chain, system: SharedSystem, folder: Path) -> Path:
    return deployment_path(folder, chain).with_suffix(f".{system.name}-shared-verifier.json")
