"""Deploy a circuit's verifier with its adapter, and pin the circuit to it in the router."""

from dataclasses import dataclass

from eth_account.signers.local import LocalAccount

from verifier_contracts.artifacts import ContractArtifact, load_artifact
from verifier_contracts.bindings import BoundContract
from verifier_contracts.deploy import deploy_contract
from verifier_contracts.router import VerifierRouter
from zkml.adapters.evm.rpc import Chain
from zkml.core.identifiers import CircuitSpec
from zkml.core.records import from_hex
from zkml.core.tensors import InputDomain, TensorLayout
from zkml.errors import RevertedError, RpcError, VerifierMismatchError


@dataclass(frozen=True, slots=True)
class VerifierTerms:
    """What a circuit is pinned to, besides code.

    Attributes:
        layout: public tensors.
        domain: integers that input elements may take.
        verifying_key_digest: 32 bytes.
        proof_system_id: 4 bytes, see `identifiers.proof_system_id`.
        gas_limit: gas of one verification; at most 12,000,000.
        verifier_class: a number of `identifiers.VerifierClass`.
    """

    layout: TensorLayout
    domain: InputDomain
    verifying_key_digest: bytes
    proof_system_id: bytes
    gas_limit: int
    verifier_class: int


@dataclass(frozen=True, slots=True)
class PinnedCircuit:
    """A circuit that the router knows.

    Attributes:
        circuit_id: 32 bytes.
        spec: what it is pinned to.
        verifier: address of the generated verifier.
        is_new: False when it was on the chain before.
    """

    circuit_id: bytes
    spec: CircuitSpec
    verifier: str
    is_new: bool


def deploy_verifier(
    chain: Chain,
    account: LocalAccount,
    router: VerifierRouter,
    verifier: ContractArtifact,
    terms: VerifierTerms,
    *,
    from_block: int,
) -> PinnedCircuit:
    """Deploy a generated verifier and its adapter and add the circuit, unless all that is there already.

    Args:
        chain: where.
        account: who pays for gas.
        router: the deployment's router.
        verifier: compiled from the Solidity that EZKL generated.
        terms: what to pin.
        from_block: height of the router's deployment.

    Raises:
        UnsuitableCircuitError: the class is not allowed on this chain.
        LayoutError: layout or domain are not allowed.
        RevertedError: the gas limit is out of range, or a pin is empty.
        ChainError: see `transactions.send`.
    """
    found = _find_pinned(chain, router, verifier, terms, from_block)
    if found is not None:
        return found
    generated = deploy_contract(chain, account, verifier)
    adapter = deploy_contract(
        chain, account, load_artifact("EzklVerifier"), (generated.address, terms.layout.as_abi())
    )
    spec = _spec(terms, adapter.address, from_hex(adapter.code_hash))
    circuit_id, _ = router.add(account, spec)
    return PinnedCircuit(circuit_id, spec, generated.address, is_new=True)


def _find_pinned(
    chain: Chain, router: VerifierRouter, verifier: ContractArtifact, terms: VerifierTerms, from_block: int
) -> PinnedCircuit | None:
    for circuit_id, spec in router.find_by_key(terms.verifying_key_digest, from_block=from_block):
        if spec == _spec(terms, spec.adapter, spec.adapter_code_hash):
            address = _generated_behind(chain, spec, verifier)
            if address is not None:
                return PinnedCircuit(circuit_id, spec, address, is_new=False)
    return None


def _generated_behind(chain: Chain, spec: CircuitSpec, verifier: ContractArtifact) -> str | None:
    """Return the generated verifier's address if the adapter is ours and leads to exactly this code."""
    adapter = BoundContract(chain, load_artifact("EzklVerifier"), spec.adapter)
    try:
        adapter.artifact.verify_code(chain.code(spec.adapter), where=spec.adapter)
        address = str(adapter.call("verifier"))
        verifier.verify_code(chain.code(address), where=address)
    except (VerifierMismatchError, RevertedError, RpcError):
        # Anybody may add circuits under this key's digest; one that is not ours is none of our business.
        return None
    return address


def _spec(terms: VerifierTerms, adapter: str, code_hash: bytes) -> CircuitSpec:
    return CircuitSpec(
        adapter=adapter,
        adapter_code_hash=code_hash,
        verifying_key_digest=terms.verifying_key_digest,
        proof_system_id=terms.proof_system_id,
        layout=terms.layout,
        domain=terms.domain,
        gas_limit=terms.gas_limit,
        verifier_class=terms.verifier_class,
    )
