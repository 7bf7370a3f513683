"""Each phase of OCTET's prover beside what the rates of products and of points allow, on one thread."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.figures import show_table
from benchmarks.octet_model import (
    COORDINATES_OF_ADDITION,
    FULL_BITS,
    active_rows,
    additions,
    count,
)
from benchmarks.octet_points import points_of
from benchmarks.octet_rates import Rates
from circuits.octet.native.kernels import open_native
from circuits.octet.native.prover import PHASES
from circuits.octet.program import Program, program_from_json

NEGLIGIBLE_SHARE = 0.05
"""A phase below this share of a proof is shown, and its ratio is not: what is not counted is most of it."""


@dataclass(frozen=True)
class Phase:
    """One phase of one network.

    Attributes:
        network: its name.
        name: of the phase.
        seconds: processor time on one thread, the least of all proofs.
        allowed: what its products and points take at the measured rates.
    """

    network: str
    name: str
    seconds: float
    allowed: float


@dataclass(frozen=True)
class Phases:
    """All phases, and the rates they are held against.

    Attributes:
        rates: lines that say what was measured.
        rows: in the order of networks and phases.
    """

    rates: tuple[str, ...]
    rows: tuple[Phase, ...]

    def show(self) -> str:
        """Return the rates and a table, with the sum of each network."""
        table = [["phase", "ms", "allowed ms", "ratio", "share"]]
        for network in dict.fromkeys(row.network for row in self.rows):
            own = [row for row in self.rows if row.network == network]
            total, allowed = sum(row.seconds for row in own), sum(row.allowed for row in own)
            table.append(
                [network, f"{total * 1e3:.1f}", f"{allowed * 1e3:.1f}", f"{total / allowed:.2f}", ""]
            )
            for row in own:
                share = row.seconds / total
                ratio = (
                    f"{row.seconds / row.allowed:.2f}" if share >= NEGLIGIBLE_SHARE and row.allowed else ""
                )
                times = [f"{row.seconds * 1e3:.1f}", f"{row.allowed * 1e3:.1f}"]
                table.append([f"  {row.name}", *times, ratio, f"{share:.0%}"])
        return "\n".join([*self.rates, "", show_table(table)])

    def as_json(self) -> dict[str, Any]:
        """Return the same for another program."""
        return {"rates": self.rates, "phases": [vars(row) for row in self.rows]}


def compare(
    networks: Mapping[str, tuple[str, Sequence[Mapping[str, float]]]],
    folder: Path,
    log_rows: int,
) -> Phases:
    """Hold measured phases against the machine's rates.

    Args:
        networks: by name, the program as JSON, and the processor seconds by phase of each proof.
        folder: where points of an insecure SRS are kept.
        log_rows: log2 of the largest network's rows.
    """
    native = open_native()
    rates = Rates(native, points_of(native, folder, log_rows))
    rows, programs = [], []
    for network, (text, proofs) in networks.items():
        programs.append(program_from_json(text))
        work = count(programs[-1])
        rows += [
            Phase(
                network,
                name,
                min((proof.get(name, 0.0) for proof in proofs), default=0.0),
                work[name].seconds(rates.products_per_second, rates.msm_seconds),
            )
            for name in PHASES
        ]
    return Phases(tuple(_rate_lines(rates, native.path, programs)), tuple(rows))


def _rate_lines(rates: Rates, path: str, programs: Sequence[Program]) -> list[str]:
    speed = f"{rates.products_per_second / 1e6:.0f} M products a second; processor time of one thread"
    lines = [f"kernels: {path}; {speed}"]
    sizes = {size for program in programs for size in (active_rows(program), program.rows)}
    table = [["points", "bits", "ms", "us a point", "additions", "products allow ms", "ratio"]]
    for size in sorted(sizes):
        for bits in (8, FULL_BITS):
            seconds, needed = rates.msm_seconds(size, bits), additions(size, bits)
            allowed = needed * COORDINATES_OF_ADDITION / rates.base_products_per_second
            table.append(
                [
                    f"{size}",
                    f"{bits}",
                    f"{seconds * 1e3:.2f}",
                    f"{seconds / size * 1e6:.3f}",
                    f"{needed}",
                    f"{allowed * 1e3:.2f}",
                    f"{seconds / allowed:.2f}",
                ]
            )
    return [*lines, "", show_table(table)]
