"""What the tests of a prover node in memory share: its chain, its circuit and its journal."""

import pytest


@pytest.fixture
def chain():
    from prover_simulator import SimulatedChain

    return SimulatedChain()


@pytest.fixture
def circuit():
    from prover_simulator import SimulatedCircuit

    return SimulatedCircuit()


@pytest.fixture
def journal(tmp_path):
    from prover_simulator import SimulatedMarket

    from prover_nodes.journal import open_journal

    with open_journal(tmp_path / "journal.sqlite", SimulatedMarket.scope) as opened:
        yield opened
