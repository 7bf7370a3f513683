"""Circuits without a compiler: one reusable verifier and one factory a chain, and a key a circuit.

Where they stand is remembered in a file and checked against the chain each time, so losing the file costs a
deployment and nothing else. The factory is nobody's, and does the same for all.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from eth_account.signers.local import LocalAccount

from verifier_contracts.artifacts import ContractArtifact, load_artifact
from verifier_contracts.bindings import BoundContract
from verifier_contracts.deploy import deploy_contract
from verifier_contracts.deploy_verifier import PinnedCircuit, VerifierTerms
from verifier_contracts.deployments import deployment_path
from verifier_contracts.router import VerifierRouter
from verifier_contracts.shared_key import SharedKey
from zkml.adapters.atomic_write import write_atomically
from zkml.adapters.evm.answers import TransactionReceipt
from zkml.adapters.evm.rpc import Chain
from zkml.core.digests import keccak256
from zkml.core.records import Address, Hex32, Record
from zkml.errors import BindingError, FormatError, LayoutError, RevertedError, RpcError, VerifierMismatchError

FACTORY = "EzklSharedVerifierFactory"


class _Remembered(Record):
    """Where a chain has the factory."""

    tag: ClassVar[str] = "zkml.shared-verifier/1"

    chain_id: int
    genesis_hash: Hex32
    factory: Address


@dataclass(frozen=True, slots=True)
class SharedVerifier:
    """The reusable verifier of a chain.

    Attributes:
        verifier: its address.
        factory: the factory that stores keys for it.
        implementation: what adapters are clones of.
        implementation_code_hash: what an audit vouches for: it covers the verifier's address and code.
    """

    verifier: str
    factory: BoundContract
    implementation: str
    implementation_code_hash: bytes

    def has_key(self, key: SharedKey) -> bool:
        """Say whether a key is stored."""
        return bool(self.factory.call("hasKey", key.digest))


def deploy_shared_verifier(
    chain: Chain, account: LocalAccount, verifier: ContractArtifact, *, folder: Path
) -> SharedVerifier:
    """Deploy the reusable verifier and its factory, unless the chain has them.

    Args:
        chain: where.
        account: who pays for gas.
        verifier: compiled from the source that EZKL writes.
        folder: where deployment records lie.

    Raises:
        StorageError: where they stand cannot be written down.
        ChainError: see `transactions.send`.
    """
    known = find_shared_verifier(chain, verifier, folder=folder)
    if known is not None:
        return known
    reusable = deploy_contract(chain, account, verifier)
    factory = deploy_contract(chain, account, load_artifact(FACTORY), (reusable.address,))
    remembered = _Remembered(
        chain_id=chain.chain_id, genesis_hash=chain.genesis_hash, factory=factory.address
    )
    write_atomically(_path(chain, folder), remembered.to_bytes())
    return _bind(chain, factory.address, verifier)


def find_shared_verifier(chain: Chain, verifier: ContractArtifact, *, folder: Path) -> SharedVerifier | None:
    """Return the shared verifier that was deployed before, or None where there is none of this code."""
    try:
        found = _Remembered.from_bytes(
            _path(chain, folder).read_bytes(), where="the shared verifier's record"
        )
        if (found.chain_id, found.genesis_hash) != (chain.chain_id, chain.genesis_hash):
            return None
        return _bind(chain, found.factory, verifier)
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
        LayoutError: the key is of another number of instances than the tensors have elements.
        VerifierMismatchError: the terms are for another key.
        UnsuitableCircuitError: the class is refused.
        RevertedError: the gas limit is out of range, or a pin is empty.
        ChainError: see `transactions.send`.
    """
    _check_terms(key, terms)
    chain = shared.factory.chain
    circuit_terms = _circuit_terms(terms)
    if shared.has_key(key):
        call: tuple[str, object, object, object] = ("addCircuit", router.address, key.digest, circuit_terms)
    else:
        call = ("storeKeyAndAddCircuit", router.address, key.words, circuit_terms)
    circuit_id = bytes(shared.factory.simulate(account.address, *call))
    receipt = None
    if not router.exists(circuit_id):
        receipt = shared.factory.transact(account, *call)
    spec = router.circuit(circuit_id)
    if spec != terms.spec(spec.adapter, keccak256(chain.code(spec.adapter))):
        raise BindingError(f"expected the circuit that was asked for, found another at 0x{circuit_id.hex()}")
    return PinnedCircuit(circuit_id, spec, shared.verifier, is_new=receipt is not None), receipt


def _check_terms(key: SharedKey, terms: VerifierTerms) -> None:
    if terms.verifying_key_digest != key.digest:
        raise VerifierMismatchError(
            f"expected terms for the key 0x{key.digest.hex()}, found 0x{terms.verifying_key_digest.hex()}"
        )
    elements = terms.layout.input_count + terms.layout.output_count
    if key.instance_count != elements:
        raise LayoutError(f"expected {key.instance_count} elements as the key has, found {elements}")


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


def _bind(chain: Chain, address: str, verifier: ContractArtifact) -> SharedVerifier:
    """Check that a factory is ours and stands on exactly this verifier."""
    factory = BoundContract(chain, load_artifact(FACTORY), address)
    factory.artifact.verify_code(chain.code(address), where=address)
    reusable, implementation = str(factory.call("verifier")), str(factory.call("IMPLEMENTATION"))
    verifier.verify_code(chain.code(reusable), where=reusable)
    code = chain.code(implementation)
    load_artifact("EzklSharedVerifier").verify_code(code, where=implementation)
    return SharedVerifier(reusable, factory, implementation, keccak256(code))


def _path(chain: Chain, folder: Path) -> Path:
    return deployment_path(folder, chain).with_suffix(".shared-verifier.json")
