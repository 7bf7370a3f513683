"""Steps 3 to 8: the model's own proof, its files, and the proof that settled the job."""

from zkml.audit.genesis import verify_genesis
from zkml.audit.job_case import JobCase
from zkml.audit.offchain import OffChainVerifier, fetch_manifest, gather_bundle, verify_manifest
from zkml.audit.policy import INSECURE_SRS
from zkml.core.identifiers import job_context
from zkml.core.records import ProofFile, to_hex
from zkml.core.tensors import input_commitment, instances_of, unpack_input
from zkml.errors import BindingError, EvidenceUnavailableError, NotFinalError, ProofRejectedError


def model_is_proven(case: JobCase) -> str:
    """Step 3: the genesis proof is one of the input that the chain chose."""
    facts = case.facts
    return verify_genesis(case.reader, facts.model_id, facts.circuit_id, case.spec, case.verifier)


def manifest_is_committed(case: JobCase) -> str:
    """Step 4: manifest and verifying files are the committed ones, and name this circuit."""
    commitment = case.reader.commitment(case.facts.model_id)
    data, manifest = fetch_manifest(commitment, case.store)
    verify_manifest(manifest, commitment, case.spec, case.reader.chain.chain_id)
    case.bundle = gather_bundle(data, manifest, case.store, case.scratch)
    if manifest.srs.secure:
        return f"{manifest.name}, SRS of {manifest.srs.name}"
    case.notes.append(INSECURE_SRS)
    return f"{manifest.name}, {INSECURE_SRS}"


def input_is_committed(case: JobCase) -> str:
    """Step 5: the input that was proved is the one the job committed to, and in the domain."""
    return _check_input(case, case.settlement.packed_input)


def opening_input_is_committed(case: JobCase) -> str:
    """Step 5 of a job without a settlement: the input of the opening, where it is on chain."""
    packed = case.opened.arguments["input"]
    return _check_input(case, packed) if packed else "not on chain yet"


def ending_is_final(case: JobCase) -> str:
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


def proof_verifies_off_chain(case: JobCase, verify: OffChainVerifier) -> str:
    """Step 7: instances = layout(input, output), and the proof system accepts under the key."""
    given, manifest = case.settlement, case.bundle.manifest
    instances = instances_of(case.spec.layout, given.packed_input, given.packed_output)
    # EZKL accepts trailing bytes that the chain refuses.
    if len(given.proof) != manifest.proof_bytes:
        raise ProofRejectedError(
            f"expected a proof of {manifest.proof_bytes} bytes, found {len(given.proof)}"
        )
    proof = ProofFile(
        system=manifest.system,
        system_version=manifest.system_version,
        circuit=manifest.circuit,
        verifying_key=manifest.verifying_key,
        input=to_hex(given.packed_input),
        output=to_hex(given.packed_output),
        proof=to_hex(given.proof),
    )
    verify(case.bundle, proof)
    return f"{manifest.system} {manifest.system_version}, {len(instances)} instances"


def deployed_verifier_accepts(case: JobCase) -> str:
    """Step 8: the code on chain, run here, accepts the same bytes."""
    reader, given = case.reader, case.settlement
    context = job_context(reader.chain.chain_id, reader.contracts.manager, case.job_id, case.facts.prover)
    gas = case.verifier.verify(
        context=context, packed_input=given.packed_input, packed_output=given.packed_output, proof=given.proof
    )
    return f"{gas} gas"


def _check_input(case: JobCase, packed: bytes) -> str:
    found = input_commitment(packed)
    if found != case.facts.input_commitment:
        raise BindingError(
            f"expected an input that hashes to {to_hex(case.facts.input_commitment)}, found {to_hex(found)}"
        )
    case.spec.domain.check(unpack_input(case.spec.layout, packed))
    return f"{case.spec.layout.input_count} elements"
