"""What is open stays open, and nobody waits for the opening of somebody else's bundle."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from circuits.octet.opened_cache import OpenedCache
from zkml.errors import ManifestError

PATIENCE = 20.0
"""Seconds after which a thread that waits for another is taken to wait for ever."""


class NamedBundle:
    """As much of a bundle as the cache looks at."""

    def __init__(self, name):
        self.manifest_digest = name

    def require(self, *roles):
        self.required = roles


HONEST, HOSTILE = NamedBundle("honest"), NamedBundle("hostile")


@pytest.fixture
def cache():
    return OpenedCache(("settings",), size=2)


@pytest.fixture
def held():
    """An event that is set at the end, whatever happens, so that no thread is left behind."""
    event = threading.Event()
    yield event
    event.set()


def test_opened_cache__while_one_bundle_is_opened_all_others_are_at_hand(cache, held):
    """A bundle of a stranger that takes long to open delays neither an open one nor the opening of a third."""
    cache.get(HONEST, lambda bundle: "honest")
    begun = threading.Event()

    def slow(bundle):
        begun.set()
        assert held.wait(PATIENCE)
        return "hostile"

    with ThreadPoolExecutor(3) as pool:
        opening = pool.submit(cache.get, HOSTILE, slow)
        try:
            assert begun.wait(PATIENCE)
            open_one = pool.submit(cache.get, HONEST, pytest.fail)
            assert open_one.result(PATIENCE / 4) == "honest"
            third = pool.submit(cache.get, NamedBundle("third"), lambda bundle: "third")
            assert third.result(PATIENCE / 4) == "third"
        finally:
            held.set()
        assert opening.result(PATIENCE) == "hostile"


def test_opened_cache__two_threads_open_one_bundle_once(cache, held):
    """Who comes second waits for the first, and has the same thing."""
    begun, makes = threading.Event(), []

    def slow(bundle):
        makes.append(bundle)
        begun.set()
        assert held.wait(PATIENCE)
        return object()

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(cache.get, HONEST, slow)
        assert begun.wait(PATIENCE)
        second = pool.submit(cache.get, HONEST, slow)
        held.set()
        assert first.result(PATIENCE) is second.result(PATIENCE)
    assert len(makes) == 1


def test_opened_cache__a_bundle_that_does_not_open_leaves_nothing_behind(cache):
    """Whoever opens bundles that fail, one after the other, fills no memory; the next try is a new one."""

    def refuse(bundle):
        raise ManifestError("expected another, found this")

    for number in range(50):
        with pytest.raises(ManifestError):
            cache.get(NamedBundle(f"b{number}"), refuse)
    assert not cache._opening
    assert not cache._kept
    assert cache.get(NamedBundle("b0"), lambda bundle: 1) == 1


def test_opened_cache__the_one_used_longest_ago_is_let_go(cache):
    """Two are kept, and no more."""
    for name in ("a", "b", "a", "c"):
        cache.get(NamedBundle(name), lambda bundle: bundle.manifest_digest)
    assert list(cache._kept) == ["a", "c"]
    cache.clear()
    assert not cache._kept
