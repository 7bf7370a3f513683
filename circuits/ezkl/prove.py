"""Make a proof of a witness. The prover neither checks its own proof nor reports progress: callers do."""

from circuits.bundle import Bundle
from circuits.ezkl.gpu import DeviceUse, GpuProver
from circuits.ezkl.settings import check_settings, parse_settings
from circuits.ezkl.witness_file import check_lookup_range, pack_output, read_witness_file
from circuits.fast_keys import FastKeys
from circuits.measurements import CPU
from circuits.port import ProofResult, WitnessResult
from circuits.portable_proof import portable_proof
from zkml.adapters.ezkl import client
from zkml.adapters.ezkl.binary import ProvingFiles
from zkml.adapters.ezkl.client import MadeProof
from zkml.adapters.ezkl.process import DEFAULT_OPTIONS, ChildOptions
from zkml.core.records import NO_CONTEXT, from_hex
from zkml.core.tensors import instances_of, unpack_input
from zkml.errors import BackendError, WitnessError


def make_proof(
    bundle: Bundle,
    witness: WitnessResult,
    *,
    options: ChildOptions = DEFAULT_OPTIONS,
    fast_keys: FastKeys | None = None,
    gpu: GpuProver | None = None,
) -> ProofResult:
    """Make a proof and check that it carries exactly the witness's input and output.

    Args:
        bundle: an opened bundle.
        witness: from `circuits.ezkl.witness` with the same bundle.
        options: limits and progress of the child. The proving key's digest is checked here, so EZKL's own
            slow checks of it are left out.
        fast_keys: copies of keys in memory; the bundle's own when None.
        gpu: the GPU program; the package, on the processor, when None.

    Raises:
        WitnessError: the file is corrupt, is not of this input and output, or would make EZKL hang.
        ProverLimitError: out of memory or time.
        BackendError: EZKL failed, or made something else than asked.
        GpuError: a GPU is required, and none did the work.
        ToolchainError: the GPU program is not of the bundle's version.
    """
    bundle.require("settings", "compiled_circuit", "proving_key", "srs")
    _check_witness(bundle, witness)
    manifest = bundle.manifest
    proving_key = bundle.file("proving_key") if fast_keys is None else fast_keys.proving_key(bundle)
    files = ProvingFiles(witness.path, bundle.file("compiled_circuit"), proving_key, bundle.file("srs"))
    if gpu is None:
        made, use = _prove_by_package(files, options), DeviceUse(CPU, 0)
    else:
        made, use = gpu.prove(manifest.system_version, files, options)
    if made.instances != instances_of(manifest.tensor_layout, witness.input, witness.output):
        raise BackendError("expected a proof of the witness's input and output, found another")
    if len(made.proof) != manifest.proof_bytes:
        raise BackendError(f"expected a proof of {manifest.proof_bytes} bytes, found {len(made.proof)}")
    if manifest.weight_point is not None and not made.proof.startswith(from_hex(manifest.weight_point)):
        raise BackendError("expected a proof of the committed weights, found one of other weights")
    context = from_hex(NO_CONTEXT)
    proof = portable_proof(manifest, witness.input, witness.output, made.proof, context=context)
    return ProofResult(
        proof, made.wall_seconds, made.peak_rss_bytes, use.device, use.gpu_peak_bytes, use.note
    )


def _prove_by_package(files: ProvingFiles, options: ChildOptions) -> MadeProof:
    return client.prove(files.witness, files.compiled, files.proving_key, files.srs, options=options)


def _check_witness(bundle: Bundle, witness: WitnessResult) -> None:
    settings = parse_settings(bundle.file("settings").read_bytes())
    check_settings(settings, bundle.manifest)
    passage = read_witness_file(witness.path)
    check_lookup_range(settings, passage)
    layout = bundle.manifest.tensor_layout
    if (
        passage.inputs != unpack_input(layout, witness.input)
        or pack_output(layout, passage.outputs) != witness.output
    ):
        raise WitnessError(
            f"expected the witness of this input and output, found another at {witness.path}",
            hint="make the witness again",
        )
