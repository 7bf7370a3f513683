"""What one more inference costs in a proof of several: processor time and size by the number of inputs.

Time is that of one thread on the processor, which other load on the machine disturbs least.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import process_time

from benchmarks.figures import show_table
from benchmarks.octet_cases import NET_A_DOMAIN, SAMPLES, Case, mlp, net_a
from circuits.batches import pack_batch
from circuits.bundle import Bundle
from circuits.octet.opened_key import open_settings
from circuits.port import CompileRequest, ProofSystem
from circuits.proving_machine import ProvingMachine
from circuits.srs import SrsStore
from circuits.systems import open_system
from circuits.verification import verify_proof

SIZES = (1, 2, 4, 8, 16)
REPEATS = 5


@dataclass(frozen=True)
class Batch:
    """What proofs of one circuit took, the middle one of all runs.

    Attributes:
        network: its name.
        inputs: of one proof.
        log_rows: log2 of the circuit's rows.
        key_columns: of the verifying key.
        proof_bytes: length of a proof.
        witness: processor seconds of a witness.
        prove: processor seconds of a proof, on one thread.
        verify: processor seconds of a verification, the verifier loaded.
    """

    network: str
    inputs: int
    log_rows: int
    key_columns: int
    proof_bytes: int
    witness: float
    prove: float
    verify: float


def measure_batches(srs: Path, sizes: Sequence[int] = SIZES) -> list[Batch]:
    """Compile net (a) and the multilayer perceptron for every number of inputs, and prove each.

    Args:
        srs: where SRS files are kept.
        sizes: numbers of inputs, 1 first.
    """
    system = open_system("octet", machine=ProvingMachine(threads=1))
    found = []
    with TemporaryDirectory(prefix="zkml-batches-") as scratch:
        folder, store = Path(scratch), SrsStore(srs)
        for case, domain in ((net_a(folder), NET_A_DOMAIN), (mlp(folder), None)):
            target = folder / case.model.stem
            asked = CompileRequest(case.model.stem, case.model, case.samples, target, store, domain=domain)
            base = system.compile(asked)
            for size in sizes:
                bundle = base
                if size > 1:
                    bundle = system.compile_batch(base, size, folder / f"{case.model.stem}-{size}", store)
                found.append(_measured(system, case, base, bundle, folder / "witness"))
    return found


def _measured(system: ProofSystem, case: Case, base: Bundle, bundle: Bundle, path: Path) -> Batch:
    program, size = open_settings(bundle).program, bundle.manifest.batch
    witness: list[float] = []
    prove: list[float] = []
    verify: list[float] = []
    for run in range(REPEATS):
        places = [(run * size + item) % SAMPLES for item in range(size)]
        packed = [system.quantize_input(base, case.samples[place]) for place in places]
        given = packed[0] if size == 1 else pack_batch(bundle.manifest, packed)
        times = [process_time()]
        made = system.witness(bundle, given, path)
        times.append(process_time())
        proof = system.prove(bundle, made).proof
        times.append(process_time())
        verify_proof(bundle, proof)
        times.append(process_time())
        for kept, (began, ended) in zip((witness, prove, verify), pairwise(times), strict=True):
            kept.append(ended - began)
    # The first run opens the files; the middle one of five is not it.
    return Batch(
        case.name,
        size,
        program.nu,
        program.vk_columns,
        bundle.manifest.proof_bytes,
        median(witness),
        median(prove),
        median(verify),
    )


def show(found: Sequence[Batch]) -> str:
    """Return the table."""
    heading = "network|inputs|rows|key columns|proof bytes|witness ms|prove ms|each ms|verify ms"
    rows = [heading.split("|")]
    for item in found:
        rows.append(
            [
                item.network,
                str(item.inputs),
                f"2^{item.log_rows}",
                str(item.key_columns),
                str(item.proof_bytes),
                f"{item.witness * 1e3:.1f}",
                f"{item.prove * 1e3:.0f}",
                f"{(item.witness + item.prove) / item.inputs * 1e3:.1f}",
                f"{item.verify * 1e3:.1f}",
            ]
        )
    return show_table(rows)
