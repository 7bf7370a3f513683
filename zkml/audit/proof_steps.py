"""Steps 3 to 8: the model's own proof, its files, and the proof that settled a job or a request."""

from circuits.bundle import Bundle
from circuits.portable_proof import portable_proof
from zkml.audit.circuit_steps import check_tombstone
from zkml.audit.genesis import verify_genesis
from zkml.audit.job_case import JobCase
from zkml.audit.lineage import declared_lineage
from zkml.audit.offchain import (
    OffChainVerifier,
    fetch_manifest,
    gather_bundle,
    open_own_bundle,
    verify_key,
    verify_manifest,
)
from zkml.audit.policy import INSECURE_SRS
from zkml.audit.proof_case import ProofCase
from zkml.core.records import to_hex
from zkml.core.tensors import input_commitment, instances_of, unpack_input
from zkml.errors import BindingError, EvidenceUnavailableError, NotFinalError, ProofRejectedError


def model_is_proven(case: ProofCase) -> str:
    """Step 3: the genesis proofs are of the inputs that the chain chose."""
    model = case.model_id
    remark = verify_genesis(case.reader, model, case.circuit_id)
    if lineage := declared_lineage(case.reader, model):
        case.notes.append(lineage)
    return remark


def manifest_is_committed(case: ProofCase) -> str:
    """Step 4: manifest and verifying files are the committed ones, and name the model's first circuit."""
    data, manifest = fetch_manifest(case.commitment, case.store)
    first = case.reader.verifier(case.commitment.circuit_id)
    verify_manifest(manifest, case.commitment, first, case.reader.chain.chain_id)
    case.bundle = gather_bundle(data, manifest, case.store, case.scratch)
    if manifest.srs.secure:
        return f"{manifest.name}, SRS of {manifest.srs.name}"
    case.notes.append(INSECURE_SRS)
    return f"{manifest.name}, {INSECURE_SRS}"


def input_is_committed(case: ProofCase) -> str:
    """Step 5: the input that was proved is the one that was committed to, and in the domain."""
    return _check_input(case, case.settlement.own_input)


def opening_input_is_committed(case: JobCase) -> str:
    """Step 5 of a job without a settlement: the input of the opening, where it is on chain."""
    packed = case.opened.arguments["input"]
    return _check_input(case, packed) if packed else "not on chain yet"


def ending_is_final(case: ProofCase) -> str:
    """Step 6: the ending transaction succeeded, is on the canonical chain, and deep enough."""
    chain, receipt = case.reader.chain, case.ending_transaction.receipt
    if not receipt.succeeded:
        raise BindingError(f"expected a successful transaction, found a failed {receipt.transaction}")
    if not chain.has_block(receipt.block, receipt.block_hash):
        raise BindingError(
            f"expected block {receipt.block_hash} at height {receipt.block} of the canonical chain, "
            f"found another there for {receipt.transaction}"
        )
    needed, depth = case.policy.finality_on(chain.chain_id), chain.height() - receipt.block
    if depth < needed:
        raise NotFinalError(
            f"expected {needed} blocks on top of block {receipt.block}, found {max(depth, 0)}",
            hint="repeat the audit later",
        )
    return f"block {receipt.block}, {depth} on top"


def job_has_not_ended(case: JobCase) -> str:
    """Step 6 of a job that may still be settled or refunded: there is nothing to judge yet."""
    raise EvidenceUnavailableError(
        f"not settled: status {case.status.name}, deadline {case.facts.deadline}",
        hint="repeat the audit when the job has ended",
    )


def proof_verifies_off_chain(case: ProofCase, verify: OffChainVerifier) -> str:
    """Step 7: instances = layout(input, output), and the proof system accepts under the pinned key."""
    given, verifier = case.settlement.given, case.reader.verifier(case.proving_circuit)
    bundle = _proving_bundle(case)
    manifest = bundle.manifest
    instances = instances_of(verifier.spec.layout, given.packed_input, given.packed_output)
    # EZKL accepts trailing bytes that the chain refuses.
    if len(given.proof) != manifest.proof_bytes:
        raise ProofRejectedError(
            f"expected a proof of {manifest.proof_bytes} bytes, found {len(given.proof)}"
        )
    context = _context(case)
    proof = portable_proof(manifest, given.packed_input, given.packed_output, given.proof, context=context)
    verify(bundle, proof, context=context)
    verify_key(bundle, verifier)
    return f"{manifest.system} {manifest.system_version}, {len(instances)} instances"


def deployed_verifier_accepts(case: ProofCase) -> str:
    """Step 8: the code on chain, run here, accepts the same bytes; a batch is of a circuit of the set."""
    reader, proof, circuit = case.reader, case.settlement, case.proving_circuit
    if circuit != case.circuit_id:
        check_tombstone(case, circuit)
    gas = reader.verifier(circuit).verify(
        context=_context(case),
        packed_input=proof.given.packed_input,
        packed_output=proof.given.packed_output,
        proof=proof.given.proof,
    )
    jobs = len(proof.given.job_ids)
    return f"{gas} gas" + (f", one proof for {jobs} jobs" if jobs > 1 else "")


def _context(case: ProofCase) -> bytes:
    """Return what the proof had to be bound to: derived from the chain, never taken from a proof."""
    reader, payee = case.reader, case.ending.arguments["prover"]
    return case.settlement.context(reader.chain.chain_id, reader.contracts.manager, payee)


def _proving_bundle(case: ProofCase) -> Bundle:
    """Return the files that the settlement's proof is verified with: the committed ones, or the auditor's."""
    circuit = case.proving_circuit
    if circuit == case.commitment.circuit_id:
        return case.bundle
    if case.own_bundle is None:
        raise EvidenceUnavailableError(
            f"expected the bundle of circuit {to_hex(circuit)}, found only that of the model's first circuit",
            hint="rebuild it from the model, or fetch it from the publisher, and give it: --bundle DIR",
        )
    return open_own_bundle(
        case.own_bundle, case.bundle.manifest, case.reader.verifier(circuit), case.reader.chain.chain_id
    )


def _check_input(case: ProofCase, packed: bytes) -> str:
    found = input_commitment(packed)
    if found != case.committed_input:
        raise BindingError(
            f"expected an input that hashes to {to_hex(case.committed_input)}, found {to_hex(found)}"
        )
    case.spec.domain.check(unpack_input(case.spec.layout, packed))
    return f"{case.spec.layout.input_count} elements"
