"""What does a settlement cost, by model and input, beside EZKL and in batches, and where does it go?

Each model is published on a chain of its own; what is shown is a second settlement, when no balance is zero
any more. Client and prover are one account, which changes nothing: each has entries of its own.
"""

import argparse
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks import gas_steps
from benchmarks.figures import show_table
from benchmarks.gas_market import open_gas_market
from benchmarks.gas_split import Split
from benchmarks.machine import describe
from benchmarks.octet_cases import NET_A_DOMAIN, SAMPLES, Case, cases, net_a
from benchmarks.octet_runs import CALIBRATED
from benchmarks.traded_model import CACHE
from benchmarks.verifiers import SHAPES, write_layer
from circuits.bundle import Bundle
from circuits.port import CompileRequest, ProofSystem
from circuits.srs import SrsStore
from circuits.systems import open_system
from circuits.verifier_source import VerifierChoice
from zkml.errors import UnsuitableCircuitError

FOLDER = CACHE / "gas"
SIZES = (2, 4, 8, 16)
MAX_BATCHES = 3
"""Circuits that a model can have besides the one for a single input."""

LENET = "lenet_5"
INK = 0.19
"""Share of pixels that are not black in images of handwritten digits, roughly: MNIST's."""

DOMAINS: Mapping[str, tuple[float, float]] = {"net (a)": NET_A_DOMAIN}
"""Of networks whose inputs' grid hangs on it; those of the samples for all others."""

RANDOM, DIGITS = "random", "digits"


@dataclass(frozen=True)
class Settled:
    """One kind of settlement.

    Attributes:
        network: its name.
        verifier: system and kind of verifier.
        inputs: inferences of one proof.
        bytes: random ones, or mostly zeros as of handwritten digits.
        input_bytes: packed, of one inference.
        proof_bytes: length of the proof.
        log_rows: log2 of the circuit's rows.
        gas: of the transaction, and of its parts.
    """

    network: str
    verifier: str
    inputs: int
    bytes: str
    input_bytes: int
    proof_bytes: int
    log_rows: int
    gas: Split


def networks(folder: Path, examples: Path | None) -> list[Case]:
    """Write the linear layers, net (a) and the networks of the other benchmark, smallest inputs first."""
    found = [net_a(folder), *cases(folder, examples)]
    draw = np.random.default_rng(3)
    for inputs, outputs in SHAPES:
        path = write_layer(folder / f"layer-{inputs}.onnx", inputs, outputs)
        samples = draw.uniform(-1, 1, size=(SAMPLES, inputs)).astype(np.float32)
        found.append(Case(f"layer of {inputs}", path, samples))
    return sorted(found, key=lambda case: case.samples[0].size)


def digit_like(case: Case) -> Case:
    """Return a network with samples that are 0 but for the share of a handwritten digit's pixels."""
    ink = np.random.default_rng(4).random(case.samples.shape) < INK
    return Case(case.name, case.model, case.samples * ink)


def measure(case: Case, system: str, verifier: VerifierChoice | None = None) -> Settled | None:
    """Settle two jobs of a network and return the second one; None where no contract can verify it."""
    with tempfile.TemporaryDirectory(prefix="zkml-gas-") as name:
        bundle, proving = _compiled(case, system, Path(name)), open_system(system)
        try:
            with open_gas_market(Path(name), proving, [bundle], verifier) as market:
                for sample in case.samples[:2]:
                    gas = market.settle(proving.quantize_input(bundle, sample))
        except UnsuitableCircuitError:
            return None
    return _settled(case, bundle, f"{system} {verifier}" if verifier else system, RANDOM, gas)


def measure_steps(folder: Path) -> dict[str, int]:
    """Settle net (a) twice and return what each step of the contract cost in the second one."""
    case, proving = net_a(folder), open_system("octet")
    with tempfile.TemporaryDirectory(prefix="zkml-gas-") as name:
        bundle = _compiled(case, "octet", Path(name))
        with open_gas_market(Path(name), proving, [bundle], keep_opcodes=True) as market:
            market.settled(proving.quantize_input(bundle, case.samples[0]))
            receipt = market.settled(proving.quantize_input(bundle, case.samples[1]))
            return gas_steps.steps_of(market.opcodes(receipt.transaction), gas_steps.SourcePlaces())


def measure_batches(folder: Path, sizes: Sequence[int]) -> list[Settled]:
    """Settle net (a) one by one and in batches, with random inputs and with digit-like ones."""
    found: list[Settled] = []
    for start in range(0, len(sizes), MAX_BATCHES):
        found += _measure_batches(folder, sizes[start : start + MAX_BATCHES], with_one=not start)
    return sorted(found, key=lambda item: (item.bytes != RANDOM, item.inputs))


def _measure_batches(folder: Path, sizes: Sequence[int], *, with_one: bool) -> list[Settled]:
    """Settle net (a) in batches of as many sizes as one model can have circuits for."""
    case, proving, found = net_a(folder), open_system("octet"), []
    with tempfile.TemporaryDirectory(prefix="zkml-gas-") as name:
        base = _compiled(case, "octet", Path(name))
        batches = [
            proving.compile_batch(base, size, Path(name) / f"batch-{size}", SrsStore(CACHE / "srs"))
            for size in sizes
        ]
        with open_gas_market(Path(name), proving, [base, *batches]) as market:
            for drawn, which in ((case, RANDOM), (digit_like(case), DIGITS)):
                packed = [proving.quantize_input(base, sample) for sample in drawn.samples]
                if with_one:
                    market.settle(packed[0])
                    found.append(_settled(case, base, "octet", which, market.settle(packed[1])))
                for place, bundle in enumerate(batches, start=1):
                    size = bundle.manifest.batch
                    market.settle_batch(place, packed[:size])
                    gas = market.settle_batch(place, packed[size : 2 * size])
                    found.append(_settled(case, bundle, "octet", which, gas))
    return found


def _settled(case: Case, bundle: Bundle, verifier: str, which: str, gas: Split) -> Settled:
    manifest = bundle.manifest
    one = manifest.layout.input_count * manifest.layout.input_bytes // manifest.batch
    return Settled(
        network=case.name,
        verifier=verifier,
        inputs=manifest.batch,
        bytes=which,
        input_bytes=one,
        proof_bytes=manifest.proof_bytes,
        log_rows=manifest.srs.logrows,
        gas=gas,
    )


def _compiled(case: Case, name: str, scratch: Path) -> Bundle:
    """Return a network's circuit; EZKL's, which takes minutes, is kept on this machine."""
    system: ProofSystem = open_system(name)
    is_slow = name == "ezkl"
    folder = (FOLDER if is_slow else scratch) / f"{name}-{system.version}-{case.model.stem}"
    if (folder / "bundle").exists():
        return Bundle.open(folder / "bundle")
    folder.mkdir(exist_ok=True)
    return system.compile(
        CompileRequest(
            name=case.model.stem,
            onnx=case.model,
            calibration=case.samples[: CALIBRATED if is_slow else SAMPLES],
            target=folder / "bundle",
            srs=SrsStore(CACHE / "srs"),
            domain=DOMAINS.get(case.name),
        )
    )


def by_network(found: Sequence[Settled]) -> str:
    """Return the table of networks and verifiers; the last column is the share of EZKL's cheaper verifier."""
    heading = "network|verifier|rows|input bytes|proof bytes|settle|base|calldata|settlement|router|verifier"
    rows = [[*heading.split("|"), "of it precompiles", "beside EZKL"]]
    for item in found:
        others = [
            other.gas.total
            for other in found
            if other.network == item.network and other.verifier.startswith("ezkl")
        ]
        share = f"{item.gas.total / min(others):.2f}" if others and item.verifier == "octet" else "-"
        sizes = (f"2^{item.log_rows}", str(item.input_bytes), str(item.proof_bytes))
        rows.append([item.network, item.verifier, *sizes, *_parts(item.gas), share])
    return show_table(rows)


def by_batch(found: Sequence[Settled]) -> str:
    """Return the table of batches: what each inference costs in the whole transaction."""
    heading = "bytes|inputs|rows|each|settle|base|calldata|settlement|router|verifier|of it precompiles"
    rows = [heading.split("|")]
    for item in found:
        each = f"{round(item.gas.total / item.inputs):,}"
        rows.append([item.bytes, str(item.inputs), f"2^{item.log_rows}", each, *_parts(item.gas)])
    return show_table(rows)


def by_precompile(found: Sequence[Settled]) -> str:
    """Return the table of the precompiles that each verifier calls."""
    rows = [["network", "verifier", *found[0].gas.calls]]
    for item in found:
        rows.append([item.network, item.verifier, *map(str, item.gas.calls.values())])
    return show_table(rows)


def _parts(gas: Split) -> Iterator[str]:
    parts = (gas.total, gas.base, gas.calldata, gas.settlement, gas.router, gas.verifier, gas.precompiles)
    return (f"{part:,}" for part in parts)


def read_options(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the options that follow the question's name."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks gas")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    parser.add_argument("--examples", type=Path, help="folder of EZKL's example networks")
    parser.add_argument("--ezkl-lenet", action="store_true", help="EZKL needs 10 GB and minutes for it")
    parser.add_argument("--skip-ezkl", action="store_true", help="measure OCTET alone")
    parser.add_argument("--batches", action="store_true", help="batches of net (a), and nothing else")
    parser.add_argument("--steps", action="store_true", help="steps of the contract, and nothing else")
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES), help="of batches, each above 1")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] = ()) -> None:
    """Settle every network with both systems, and net (a) in batches, and print the tables."""
    options = read_options(arguments)
    FOLDER.mkdir(parents=True, exist_ok=True)
    if options.steps:
        steps = measure_steps(FOLDER)
        print(json.dumps({"steps": steps}) if options.json else gas_steps.show(steps))
        return
    found: list[Settled] = []
    for case in [] if options.batches else networks(FOLDER, options.examples):
        asked: list[tuple[str, VerifierChoice | None]] = [("octet", None)]
        if not options.skip_ezkl and (options.ezkl_lenet or case.name != LENET):
            asked += [("ezkl", "generated"), ("ezkl", "shared")]
        measured = (measure(case, system, verifier) for system, verifier in asked)
        found += [item for item in measured if item is not None]
    batches = measure_batches(FOLDER, options.sizes)
    if options.json:
        fields = {
            "settlements": [asdict(item) for item in found],
            "batches": [asdict(item) for item in batches],
        }
        print(json.dumps({"machine": describe(), **fields}))
        return
    print(describe())
    if found:
        print("gas of a second settlement of one job, inputs of random bytes", by_network(found), sep="\n")
        print("\ncalls of precompiles", by_precompile(found), sep="\n", end="\n\n")
    print(
        f"net (a) in batches; digits: {INK:.0%} of the input's bytes are not zero",
        by_batch(batches),
        sep="\n",
    )
