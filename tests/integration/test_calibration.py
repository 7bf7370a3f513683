"""A calibration measures what the node will do here, and proposes a fee that pays for it."""

import pytest
from ezkl_circuits import Lab, relu

from prover_nodes.calibration import CalibrationReport, CostTerms, calibrate, fee_for
from prover_nodes.workers.opening import OpenCircuits, open_circuits
from zkml.config.settings import ProverSettings
from zkml.core.ports.gpu import GpuReport
from zkml.core.progress import ProgressEvent
from zkml.errors import StorageError, ToolchainError

pytestmark = pytest.mark.integration
__all__ = ["relu"]

TERMS = CostTerms(
    cost_per_hour=3_600_000, profit_percent=20.0, units_per_ether=2_000_000_000, gas_price_wei=10**9
)


@pytest.fixture
def opened(relu: Lab, tmp_path, monkeypatch):
    """Open the circuit without a Solidity compiler's work: what gas costs is told."""
    from prover_nodes.circuit_port import BundleCircuit  # noqa: PLC0415

    monkeypatch.setattr(BundleCircuit, "least_gas_limit", lambda *_args, **_options: 400_000)
    with open_circuits(
        [relu.bundle],
        prover=ProverSettings(),
        work=tmp_path / "work",
        verifiers=tmp_path / "verifiers",
        measurements=tmp_path / "measurements.json",
    ) as circuits:
        yield circuits


def proofs_in(events: list[ProgressEvent]) -> int:
    return sum(event.finished and event.stage == "tiny: prove" for event in events)


def run(opened: OpenCircuits, runs: int, **options) -> tuple[CalibrationReport, int]:
    events: list[ProgressEvent] = []
    report = calibrate(opened.circuits, terms=TERMS, runs=runs, progress=events.append, **options)
    return report, proofs_in(events)


def test_calibrate__interrupted_and_again__goes_on_where_it_was(opened):
    """Runs that are in the measurements file count; `again` forgets them."""
    report, proofs = run(opened, 1)
    assert (proofs, report.circuits[0].runs) == (1, 1)
    report, proofs = run(opened, 2)
    assert (proofs, report.circuits[0].runs) == (1, 2)
    assert run(opened, 2)[1] == 0
    report, proofs = run(opened, 1, again=True)
    assert (proofs, report.circuits[0].runs) == (1, 1)


def test_calibrate__report__says_what_was_measured_and_what_it_costs(opened):
    """Figures are those the node predicts by, and the fee pays for time, gas and profit."""
    report, _proofs = run(opened, 1, gpus=GpuReport("", (), "no driver"))
    [found] = report.circuits
    [circuit] = opened.circuits
    assert found.prove_seconds == circuit.expected_prove_seconds()
    assert found.peak_bytes == circuit.expected_peak_bytes() > 1 << 20
    assert found.device == "cpu"
    assert found.gas > 400_000
    seconds = found.witness_seconds + found.prove_seconds
    assert found.compute_cost - 1 <= 1000 * seconds <= found.compute_cost
    assert found.gas_cost == 2 * found.gas
    assert found.proposed_fee >= 1.2 * (found.compute_cost - 1 + found.gas_cost)
    document = report.as_json()
    assert document["proposed_min_fee"] == str(found.proposed_fee) == document["circuits"][0]["proposed_fee"]
    assert document["machine"]["gpus"]["reason"] == "no driver"


def test_calibrate__no_compiler__gas_is_unknown_and_said_to_be(opened, monkeypatch):
    """Where the verifier cannot be compiled, the fee leaves gas out and the note says why."""

    def fail(*_args, **_options):
        raise ToolchainError("expected a Solidity compiler, found none")

    monkeypatch.setattr(type(opened.circuits[0]), "least_gas_limit", fail)
    report, _proofs = run(opened, 1)
    assert (report.circuits[0].gas, report.circuits[0].gas_cost) == (None, 0)
    assert "Solidity" in report.circuits[0].note


def test_calibrate__nothing_can_be_remembered__ends(opened, monkeypatch):
    """A measurements file that cannot be written ends the calibration; it does not prove for ever."""
    monkeypatch.setattr(type(opened.circuits[0]), "measured", lambda *_args: None)
    with pytest.raises(StorageError):
        run(opened, 1)


def test_fee__seconds_and_gas__rounded_up_in_the_provers_favour():
    """An hour at 3600 an hour, 100,000 gas at 2 gwei and 3,000 units an ether, and a tenth on top."""
    terms = CostTerms(3600, 10.0, 3000, 2 * 10**9)
    assert fee_for(3600.0, 100_000, terms) == (3600, 1, 3961)
    assert fee_for(0.5, None, terms) == (1, 0, 1)
    assert fee_for(10.0, 100_000, CostTerms()) == (0, 0, 0)
