"""Events that contradict themselves are the endpoint's lie, and one of our errors."""

import pytest

from marketplace.events import JobEvents
from marketplace.tab_events import TabEvents
from zkml.adapters.evm.abi import Event
from zkml.adapters.evm.answers import Log
from zkml.core.market_identifiers import JobSpec, TabSpec
from zkml.core.pricing import FeeQuote
from zkml.errors import FormatError, JobNotFoundError, RpcError, TabRefusedError

MANAGER, REQUESTER, PROVER = ("0x" + digit * 40 for digit in "123")
JOB = b"\x01" * 32
QUOTE = FeeQuote(model_fee_floor=50, model_fee_ppm=0, flat_fee=10, platform_ppm=25_000)
SPEC = JobSpec(5, b"\x02" * 32, b"\x03" * 32, "", 7, 8, 100, 60, 70, 1000, (PROVER,))
TAB_SPEC = TabSpec(5, PROVER, REQUESTER, 100, 1000)
OPENED = {
    "jobId": JOB,
    "modelId": 5,
    "requester": REQUESTER,
    "spec": tuple(SPEC),
    "quote": tuple(QUOTE),
    "escrow": 68,
    "input": b"ab",
}
TAB_OPENED = {
    "tabId": JOB,
    "modelId": 5,
    "prover": PROVER,
    "requester": REQUESTER,
    "spec": tuple(TAB_SPEC),
    "quote": tuple(QUOTE),
}


class Telling:
    """A contract whose endpoint tells of these events, whatever it is asked."""

    address = MANAGER
    chain = type("Chain", (), {"chain_id": 31337})

    def __init__(self, *events):
        self._events = events

    def find_events(self, name, filters=None, **_):
        log = Log(MANAGER, (), b"", 9, "0x" + "bb" * 32, "0x" + "aa" * 32, 0)
        return iter([Event(name, arguments, log) for arguments in self._events])


def jobs(**changes):
    return JobEvents(Telling({**OPENED, **changes}), from_block=0)


def tabs(**changes):
    return TabEvents(Telling({**TAB_OPENED, **changes}), from_block=0)


def test_request__of_an_opening__has_every_field():
    """What was asked for is read whole, and the record hashes to the job's id."""
    found = jobs().request(JOB)
    assert found.as_spec() == SPEC
    assert (found.quote.as_quote(), found.escrow, found.input) == (QUOTE, "68", "0x6162")
    assert tabs().opened(JOB).spec == TAB_SPEC


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"modelId": 6}, "expected one model, found 0x6 and 0x5"),
        ({"quote": (0, 1_000_000, 0, 0)}, "expected parts below 1000000 ppm"),
    ],
)
def test_request__that_contradicts_itself__is_nonsense(changes, match):
    """An opening that names two models, or a quote without a price, was written by no contract of ours."""
    with pytest.raises(RpcError, match=match):
        jobs(**changes).request(JOB)


@pytest.mark.parametrize("changes", [{"modelId": 6}, {"prover": MANAGER}, {"quote": (0, 2**32 - 1, 0, 0)}])
def test_tab__that_contradicts_itself__is_nonsense(changes):
    """The opening of a tab names one model and one prover."""
    with pytest.raises(RpcError):
        tabs(**changes).opened(JOB)


def test_request__with_more_provers_than_a_job_can_name__is_refused():
    """A job of more provers than the contract allows fits no record, and is left out of a search for work."""
    spec = tuple(SPEC._replace(provers=(PROVER,) * 9))
    with pytest.raises(FormatError, match="provers"):
        jobs(spec=spec).request(JOB)
    assert list(jobs(spec=spec).requests()) == []


def test_unknown__job_or_tab__is_not_found():
    """No event is no job and no tab."""
    with pytest.raises(JobNotFoundError):
        JobEvents(Telling(), from_block=0).request(JOB)
    with pytest.raises(TabRefusedError):
        TabEvents(Telling(), from_block=0).opened(JOB)
    assert TabEvents(Telling(), from_block=0).closed(JOB) is None
