"""A node process ends its components in order: drained within a time, stopped always."""

import threading

import pytest

from prover_nodes.supervisor import Supervisor
from zkml.errors import ConfigError, StorageError


class Part:
    """A component that notes what it is told."""

    def __init__(self, name, notes, *, idle=True):
        self.name, self.notes, self.idle = name, notes, idle
        self.started, self.error, self.trouble = threading.Event(), None, ""

    def start(self):
        self.notes.append(f"start {self.name}")
        self.started.set()

    def drain(self):
        self.notes.append(f"drain {self.name}")

    def is_idle(self):
        return self.idle

    def stop(self):
        self.notes.append(f"stop {self.name}")

    def problem(self):
        return self.trouble

    def failure(self):
        return self.error


def running(supervisor, *events):
    """Run a supervisor in a thread; what it raises is the list's only item."""
    raised = []

    def run():
        try:
            supervisor.run(*events)
        except Exception as error:  # noqa: BLE001 the test looks at it
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, raised


def test_run__stop_is_set__starts_in_order_drains_and_stops_backwards():
    """What serves clients stops before what it needs."""
    notes, stop = [], threading.Event()
    stop.set()
    Supervisor([Part("a", notes), Part("b", notes)], drain_seconds=10).run(stop)
    assert notes == ["start a", "start b", "drain a", "drain b", "stop b", "stop a"]


def test_run__work_is_left__waits_until_it_is_done():
    """Nothing is stopped while something is promised."""
    notes, stop = [], threading.Event()
    part = Part("a", notes, idle=False)
    supervisor = Supervisor([part], drain_seconds=60)
    thread, raised = running(supervisor, stop)
    assert part.started.wait(10)
    assert not supervisor.is_draining
    supervisor.drain()
    thread.join(0.5)
    assert thread.is_alive()
    assert supervisor.is_draining
    assert "stop a" not in notes
    part.idle = True
    thread.join(10)
    assert notes[-2:] == ["drain a", "stop a"]
    assert raised == []


@pytest.mark.parametrize("by", ["time", "second signal"])
def test_run__work_never_ends__is_stopped_all_the_same(by):
    """A drain is bounded, and a second signal ends it at once."""
    notes, stop, now = [], threading.Event(), threading.Event()
    supervisor = Supervisor([Part("a", notes, idle=False)], drain_seconds=0.0 if by == "time" else 1e9)
    stop.set()
    thread, _ = running(supervisor, stop, now)
    if by != "time":
        now.set()
    thread.join(10)
    assert notes[-1] == "stop a"


def test_run__component_ends_unasked__stops_the_others_and_raises_its_error():
    """A node without a journal does not go on serving clients."""
    notes, stop = [], threading.Event()
    part = Part("a", notes)
    thread, raised = running(Supervisor([part, Part("b", notes)], drain_seconds=10), stop)
    assert part.started.wait(10)
    part.error = StorageError("expected a disk, found none")
    thread.join(10)
    assert raised == [part.error]
    assert notes[-2:] == ["stop b", "stop a"]


def test_run__component_cannot_start__stops_what_was_started():
    """A port that is taken leaves no thread behind."""
    notes = []

    class Broken(Part):
        def start(self):
            raise ConfigError("expected a free port, found it taken")

    with pytest.raises(ConfigError):
        Supervisor([Part("a", notes), Broken("b", notes)], drain_seconds=10).run(threading.Event())
    assert notes == ["start a", "stop b", "stop a"]


def test_problems__names_what_is_wrong_and_nothing_else():
    """Readiness says which part and why."""
    good, bad = Part("a", []), Part("b", [])
    bad.trouble = "the endpoint is down"
    assert Supervisor([good, bad], drain_seconds=1).problems() == {"b": "the endpoint is down"}
