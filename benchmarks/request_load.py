"""Requests on tabs, over HTTP, to one node: how long until an output is verified, and until it is paid."""

import os
import threading
import time
import urllib.request
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.chain_watch import ChainWatch, gas_spent
from benchmarks.figures import percentile
from benchmarks.node_processes import NodeProcess, run_nodes, wait_for
from benchmarks.small_market import FEE, SmallMarket
from zkml.adapters.evm.rpc import Chain
from zkml.client import Model, open_requester
from zkml.config.home import Home
from zkml.config.settings import Settings
from zkml.core.records import from_hex
from zkml.wiring import bind

MAX_PRICE = 10 * FEE


@dataclass(frozen=True)
class RequestLoad:
    """What one node did with requests. Times are seconds of this machine's clock.

    Attributes:
        clients: how many ask at once, each with a key and a tab of its own, one request after the other.
        requests: how many they asked in all.
        wall_seconds: from the first question to the last settlement.
        per_hour: requests an hour.
        verified_p50, verified_p99: from the question to the verified output.
        settled_p50, settled_p99: from the question to the settlement.
        gas: of one settlement.
        load_before, load_after: the machine's load average of a minute.
    """

    clients: int
    requests: int
    wall_seconds: float
    per_hour: float
    verified_p50: float
    verified_p99: float
    settled_p50: float
    settled_p99: float
    gas: int
    load_before: float
    load_after: float


@dataclass(frozen=True)
class Answered:
    """One request: its digest, when it was asked, and when its output was verified."""

    digest: bytes
    asked: float
    verified: float


class Client:
    """Somebody with a key, a home and a connection, who has asked the node once."""

    def __init__(self, small: SmallMarket, node: NodeProcess, home: Path, *, calls: int) -> None:
        """Open a tab that lasts for so many calls, by a first one."""
        plain = Settings()
        settings = replace(plain, client=replace(plain.client, tab_amount=MAX_PRICE * (calls + 2)))
        self._chain = Chain(small.chain.endpoint)
        requester = open_requester(
            settings,
            Home(home),
            {},
            market=bind(self._chain, small.market.deployment),
            account=small.fund(),
        )
        self._model = Model(
            hex(small.model_id), max_fee=MAX_PRICE, node=node.api, wait_seconds=0, requester=requester
        )

    def ask(self, values: np.ndarray) -> Answered:
        """Have one input proved and verified; nobody waits for the settlement."""
        asked = time.monotonic()
        prediction = self._model.predict(values)
        return Answered(from_hex(prediction.receipt.request_id), asked, time.monotonic())

    def close(self) -> None:
        """Close its connection."""
        self._chain.close()


def measure_requests(small: SmallMarket, folder: Path, *, requests: int, clients: int) -> RequestLoad:
    """Ask a node so many requests, by clients that ask at once, and wait until all are settled."""
    values = small.model.draw(requests + clients, seed=1000 + clients)
    with small.undone(), run_nodes(small, folder, 1, api=True) as [node]:
        wait_for_offer(node)
        asking = [
            Client(small, node, folder / f"client-{number}", calls=requests) for number in range(clients)
        ]
        with ChainWatch(small) as watch:
            first = [client.ask(row) for client, row in zip(asking, values[requests:], strict=True)]
            _wait_for_payment(watch, first, node)
        with ChainWatch(small) as watch:
            load_before = os.getloadavg()[0]
            answered = _ask_all(asking, values[:requests])
            _wait_for_payment(watch, answered, node)
            load_after, paid = os.getloadavg()[0], watch.seen.paid
            gas = gas_spent(small.chain, [node.account], watch.seen, first_block=watch.first_block)
        for client in asking:
            client.close()
    wall = max(paid.values()) - min(one.asked for one in answered)
    verified = [one.verified - one.asked for one in answered]
    settled = [paid[one.digest] - one.asked for one in answered]
    return RequestLoad(
        clients=clients,
        requests=requests,
        wall_seconds=wall,
        per_hour=3600 * requests / wall,
        verified_p50=percentile(verified, 50),
        verified_p99=percentile(verified, 99),
        settled_p50=percentile(settled, 50),
        settled_p99=percentile(settled, 99),
        gas=gas.other // requests,
        load_before=load_before,
        load_after=load_after,
    )


def _ask_all(clients: list[Client], values: Iterable[np.ndarray]) -> list[Answered]:
    """Let each client ask one request after the other until none is left."""
    left, lock, answered = iter(values), threading.Lock(), []

    def take() -> np.ndarray | None:
        with lock:
            return next(left, None)

    def ask(client: Client) -> None:
        while (row := take()) is not None:
            one = client.ask(row)
            with lock:
                answered.append(one)

    with ThreadPoolExecutor(len(clients), thread_name_prefix="client") as pool:
        for done in [pool.submit(ask, client) for client in clients]:
            done.result()
    return answered


def _wait_for_payment(watch: ChainWatch, answered: list[Answered], node: NodeProcess) -> None:
    def is_paid() -> bool:
        watch.check()
        return all(one.digest in watch.seen.paid for one in answered)

    wait_for(is_paid, "all requests settled", node)


def wait_for_offer(node: NodeProcess) -> None:
    """Wait until a node has read from the chain what it can serve."""
    wait_for(lambda: b"did:" in _read(f"{node.api}/v1/models"), "an offer", node)


def _read(url: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return bytes(answer.read())
    except OSError:
        return b""
