"""`zkml prover calibrate`: what this machine needs for each bundle, and the least fee that pays for it."""

from pathlib import Path
from typing import Any

import click

from zkml.cli.console import table
from zkml.cli.market_session import open_market_of
from zkml.cli.options import Session, chain_command
from zkml.cli.prover_bundles import open_bundles
from zkml.errors import ChainError, ConfigError

_MEBIBYTE = 1 << 20


@click.command()
@click.option(
    "--bundle",
    "bundles",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Circuit bundle to measure; default: prover.bundles, else those in the home.",
)
@click.option(
    "--runs", type=click.IntRange(min=1), default=3, show_default=True, help="Proofs of each bundle."
)
@click.option("--again", is_flag=True, help="Forget what was measured before.")
@click.option("--write", is_flag=True, help="Put the proposed prover.min_fee into the settings file.")
@chain_command
def calibrate(session: Session, bundles: tuple[Path, ...], runs: int, again: bool, write: bool) -> None:
    """Measure witness, proof and peak memory of each bundle here, and propose a least fee.

    The fee pays for prover.cost_per_hour, for gas where prover.units_per_ether says what an ether is worth,
    and prover.profit_percent on top. The node uses the same figures to promise proofs in time.

    Example: zkml prover calibrate --runs 3 --write
    """
    from prover_nodes.calibration import CostTerms
    from prover_nodes.calibration import calibrate as measure
    from prover_nodes.workers.opening import open_circuits
    from zkml.adapters.gpu.nvml import find_gpus

    opened, prover, home = open_bundles(session, bundles), session.settings.prover, session.home
    terms = CostTerms(
        cost_per_hour=prover.cost_per_hour,
        profit_percent=prover.profit_percent,
        units_per_ether=prover.units_per_ether,
        gas_price_wei=_gas_price(session) if prover.units_per_ether else 0,
    )
    if not prover.cost_per_hour:
        session.console.note("prover.cost_per_hour is 0: the time of a proof costs nothing")
    with (
        session.console.progress() as progress,
        open_circuits(
            opened,
            prover=prover,
            work=home.prover_work,
            verifiers=home.verifiers,
            measurements=home.measurements,
        ) as circuits,
    ):
        for note in circuits.notes:
            session.console.note(note)
        report = measure(
            circuits.circuits, terms=terms, runs=runs, again=again, gpus=find_gpus(), progress=progress
        )
    fee = report.proposed_min_fee
    written = _write_fee(session, fee) if write else None
    value = {**report.as_json(), "proposed_min_fee": str(fee), "written": written and str(written)}
    lines = [_describe(report), f"proposed prover.min_fee: {fee}"]
    lines += [f"{written}: min_fee = {fee}"] if written else []
    session.console.result(value, "\n".join(lines))


def _gas_price(session: Session) -> int:
    """Return what one gas costs now."""
    from prover_nodes.chain_port import ChainMarket

    try:
        market = open_market_of(session)
        return ChainMarket(market, market.manager.address).gas_price_wei()
    except ChainError as error:
        raise ConfigError(
            f"expected the chain's price of gas, found {error.message}",
            hint="give --rpc-url, or set prover.units_per_ether to 0 to leave gas out",
        ) from error


def _write_fee(session: Session, fee: int) -> Path:
    from zkml.adapters.atomic_write import write_atomically
    from zkml.config.template import set_value

    path = session.config_path
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    write_atomically(path, set_value(text, "prover.min_fee", fee).encode())
    return path


def _describe(report: Any) -> str:
    rows = [
        [
            found.name,
            found.device,
            str(found.runs),
            f"{found.witness_seconds:.2f} s",
            f"{found.prove_seconds:.2f} s",
            f"{(found.peak_bytes or 0) / _MEBIBYTE:.0f} MiB",
            str(found.proposed_fee),
            found.note,
        ]
        for found in report.circuits
    ]
    return table(["bundle", "device", "runs", "witness", "prove", "peak memory", "fee in units", ""], rows)
