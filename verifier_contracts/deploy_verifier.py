"""Deploy a circuit's verifier with its adapter, and pin the circuit to it in the router."""

from dataclasses import dataclass

from eth_account.signers.local import LocalAccount

from verifier_contracts.artifacts import ContractArtifact, load_artifact
from verifier_contracts.bindings import BoundContract
from verifier_contracts.deploy import deploy_contract
from verifier_contracts.router import VerifierRouter
from zkml.adapters.evm.rpc import Chain
from zkml.core.identifiers import ZERO32, CircuitSpec
from zkml.core.records import from_hex
from zkml.core.tensors import InputDomain, TensorLayout
from zkml.errors import RevertedError, RpcError, VerifierMismatchError


@dataclass(frozen=True, slots=True)
class VerifierTerms:
    """What a circuit is pinned to, besides code.

    Attributes:
        layout: public tensors.
        domain: integers that input elements may take.
        verifying_key_digest: 32 bytes: for a generated verifier SHA-256 of the key file, for the shared one
            keccak256 of the key's words.
        proof_system_id: 4 bytes, see `identifiers.proof_system_id`.
        gas_limit: gas of one verification; at most 12,000,000.
        verifier_class: a number of `identifiers.VerifierClass`.
        weight_commitment: keccak256 of the commitment to the weights that proofs begin with; zero where the
            verifying key binds them.
    """

    layout: TensorLayout
    domain: InputDomain
    verifying_key_digest: bytes
    proof_system_id: bytes
    gas_limit: int
    verifier_class: int
    weight_commitment: bytes = ZERO32

    def spec(self, adapter: str, adapter_code_hash: bytes) -> CircuitSpec:
        """Return the router's entry for a circuit with these terms and this adapter."""
        return CircuitSpec(
            adapter=adapter,
            adapter_code_hash=adapter_code_hash,
            verifying_key_digest=self.verifying_key_digest,
            weight_commitment=self.weight_commitment,
            proof_system_id=self.proof_system_id,
            layout=self.layout,
            domain=self.domain,
            gas_limit=self.gas_limit,
            verifier_class=self.verifier_class,
        )


@dataclass(frozen=True, slots=True)
class PinnedCircuit:
    """A circuit that the router knows.

    Attributes:
        circuit_id: 32 bytes.
        spec: what it is pinned to.
        verifier: address of the code that decides: of the generated verifier, or of the shared one.
        is_new: False when it was on the chain before.
        inner: the same where the adapter calls it as a contract of its own; None where they are clones of it.
    """

    circuit_id: bytes
    spec: CircuitSpec
    verifier: str
    is_new: bool
    inner: str | None


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
    known = None
    for circuit_id, spec in router.find_by_key(terms.verifying_key_digest, from_block=from_block):
        address = _generated_behind(chain, spec, verifier)
        if address is not None and spec == terms.spec(spec.adapter, spec.adapter_code_hash):
            return PinnedCircuit(circuit_id, spec, address, is_new=False, inner=address)
        # Other weights of the same architecture, or another gas limit: the verifier serves both.
        known = known or address
    generated = known or deploy_contract(chain, account, verifier).address
    adapter = deploy_contract(
        chain,
        account,
        load_artifact("EzklVerifier"),
        (generated, terms.layout.as_abi(), terms.weight_commitment),
    )
    spec = terms.spec(adapter.address, from_hex(adapter.code_hash))
    circuit_id, _ = router.add(account, spec)
    return PinnedCircuit(circuit_id, spec, generated, is_new=True, inner=generated)


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
