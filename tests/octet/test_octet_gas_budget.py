"""What settling net (a) costs stays within its budget: whole transactions on a real node, with real proofs."""

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from built_once import shared_folder

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.gas_market import open_gas_market
from benchmarks.gas_split import Split
from benchmarks.octet_cases import NET_A_DOMAIN, net_a
from circuits.port import CompileRequest
from circuits.srs import SrsStore
from circuits.systems import open_system

pytestmark = pytest.mark.integration

INPUTS = 16
ONE_BUDGET = 600_000
EACH_BUDGET = 90_000
VERIFIER_BUDGET = 380_000
"""Of one proof, the adapter's execution; docs/octet-chain.md says for what."""

BATCH_VERIFIER_BUDGET = 522_000
"""The same of a proof of 16."""


@dataclass(frozen=True)
class Settlements:
    """A second settlement of one job, and one of a batch."""

    one: Split
    batch: Split


@pytest.fixture(scope="module")
def settlements(tmp_path_factory):
    folder, system = tmp_path_factory.mktemp("gas"), open_system("octet")
    case, srs = net_a(folder), SrsStore(shared_folder() / "octet-small" / "srs")
    request = CompileRequest("net-a", case.model, case.samples, folder / "net-a", srs, domain=NET_A_DOMAIN)
    bundle = system.compile(request)
    batch = system.compile_batch(bundle, INPUTS, folder / "batch", srs)
    packed = [system.quantize_input(bundle, sample) for sample in case.samples]
    with open_gas_market(folder, system, [bundle, batch]) as market:
        market.settle(packed[0])
        return Settlements(market.settle(packed[1]), market.settle_batch(1, packed[2 : 2 + INPUTS]))


def test_settle__net_a_with_random_bytes__is_within_its_budget(settlements):
    """One inference: 784 random bytes in, ten int32 out, storage slots used before."""
    assert settlements.one.total <= ONE_BUDGET
    assert settlements.one.verifier <= VERIFIER_BUDGET


def test_settle_batch__sixteen_inferences_of_net_a__are_each_within_their_budget(settlements):
    """One proof of 16 random inputs; an item adds to the verifier a tenth of what one alone costs."""
    one, batch = settlements.one, settlements.batch
    assert batch.total <= INPUTS * EACH_BUDGET
    assert batch.verifier <= BATCH_VERIFIER_BUDGET
    assert batch.precompiles == one.precompiles


def test_settle__parts_of_a_settlement__are_where_the_page_says(settlements):
    """22 multiplications, one pairing, one inversion; what is not verifier nor calldata is a seventh."""
    assert settlements.one.calls == {"modexp": 1, "additions": 21, "multiplications": 22, "pairings": 1}
    assert settlements.one.settlement + settlements.one.router <= 80_000
    assert settlements.batch.settlement + settlements.batch.router <= INPUTS * 36_000
