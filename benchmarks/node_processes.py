"""Nodes as their operators run them: `zkml prover run`, each a process with a home and a key of its own."""

import contextlib
import os
import shutil
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from eth_account.signers.local import LocalAccount

from benchmarks.figures import read_metrics, total
from benchmarks.small_market import FEE, PLENTY, SmallMarket
from zkml.adapters.process.daemon import GuardedProcess
from zkml.config.home import Home
from zkml.core.job_machine import JobStatus

PATIENCE_SECONDS = 300.0
DRAIN_SECONDS = 60.0
SETTLED = "zkml_prover_work_settled_total"
STAKE = 100_000 * FEE
_ROOT = Path(__file__).parents[1]
_SCRAPE_SECONDS = 20.0

Metrics = Mapping[tuple[str, frozenset[tuple[str, str]]], float]

SETTINGS = {
    "ZKML_API_PROVER_FEE": str(FEE),
    # All clients of a benchmark have one address.
    "ZKML_API_REQUESTS_PER_MINUTE": "100000",
    "ZKML_PROVER_MAX_STAKE": str(PLENTY),
    "NO_COLOR": "1",
}
"""What differs from a plain installation."""


@dataclass(frozen=True)
class NodeProcess:
    """A running node.

    Attributes:
        account: its key.
        home: its files.
        guarded: its process, which ends with this one.
        api: base URL of its API; empty where it has none.
        admin: base URL of its metrics and health.
    """

    account: LocalAccount
    home: Home
    guarded: GuardedProcess
    api: str
    admin: str

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.guarded.identity.pid

    def read(self, path: str) -> tuple[int, str]:
        """Return status and body of a path of its admin server; 0 where it does not answer."""
        try:
            with urllib.request.urlopen(self.admin + path, timeout=_SCRAPE_SECONDS) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def metrics(self) -> Metrics:
        """Return what it counted so far."""
        status, body = self.read("/metrics")
        if status != 200:
            raise SystemExit(f"expected metrics of a node, found HTTP status {status}\n{self.last_words()}")
        return read_metrics(body)

    def wait_until_ready(self) -> None:
        """Wait until it takes work on."""
        wait_for(lambda: self.read("/readyz")[0] == 200, "a node that is ready", self)

    def last_words(self) -> str:
        """Return the end of its log, for whoever looks at a failure."""
        return self.guarded.recent_output


def wait_for(is_true: Callable[[], bool], what: str, *nodes: NodeProcess) -> None:
    """Wait for something that nodes are to do; end the benchmark when they do not."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_true():
        ended = [node for node in nodes if node.guarded.returncode is not None]
        if ended or time.monotonic() > deadline:
            told = "\n".join(node.last_words() for node in ended or nodes)
            why = "a node ended" if ended else f"{PATIENCE_SECONDS:g} s passed"
            raise SystemExit(f"expected {what}, but {why}\n{told}")
        time.sleep(0.05)


@contextlib.contextmanager
def run_nodes(
    small: SmallMarket, folder: Path, count: int, *, workers: int = 1, api: bool = False
) -> Iterator[list[NodeProcess]]:
    """Run nodes that are ready, staked, and have measured the circuit; drain them at the end.

    Args:
        small: the market.
        folder: for their homes; made, and not removed.
        count: how many.
        workers: proofs that each makes at once.
        api: whether they serve clients.
    """
    with contextlib.ExitStack() as running:
        nodes = [
            running.enter_context(_run_node(small, folder / f"node-{number}", workers=workers, api=api))
            for number in range(count)
        ]
        for node in nodes:
            node.wait_until_ready()
        warm_up(small, nodes)
        yield nodes


@contextlib.contextmanager
def _run_node(small: SmallMarket, folder: Path, *, workers: int, api: bool) -> Iterator[NodeProcess]:
    home, account = Home(Path(shutil.copytree(small.home.root, folder))), small.fund()
    _register(small, account)
    home.keys.mkdir(mode=0o700, exist_ok=True)
    key = home.keys / "prover.key"
    key.touch(0o600)
    key.write_text(bytes(account.key).hex())
    admin_port, api_port = _free_ports(2)
    command = [sys.executable, "-m", "zkml.cli", "prover", "run", "--workers", str(workers)]
    command += ["--admin-port", str(admin_port), "--api-port", str(api_port if api else 0)]
    plain = {name: value for name, value in os.environ.items() if not name.startswith("ZKML_")}
    kept = {name: value for name, value in os.environ.items() if name in ("ZKML_ANVIL", "ZKML_NODE")}
    environment = {
        **plain,
        **kept,
        **SETTINGS,
        "ZKML_HOME": str(home.root),
        "ZKML_CHAIN_RPC_URL": small.chain.endpoint,
        "PYTHONPATH": str(_ROOT),
        # The locks of a key that nobody uses again.
        "TMPDIR": str(home.root),
    }
    with GuardedProcess.start(
        command, grace_seconds=DRAIN_SECONDS, env=environment, cwd=home.root
    ) as guarded:
        api_url = f"http://127.0.0.1:{api_port}" if api else ""
        yield NodeProcess(account, home, guarded, api_url, f"http://127.0.0.1:{admin_port}")


def _register(small: SmallMarket, account: LocalAccount) -> None:
    """Give a prover its stake, so that no job of the run pays for that."""
    market = small.market
    market.provers.register(account, "", [small.market.router.circuit(small.circuit_id).proof_system_id])
    market.token.approve(account, market.provers.address, STAKE)
    market.provers.stake(account, STAKE)


def warm_up(small: SmallMarket, nodes: list[NodeProcess]) -> None:
    """Give each node a job of its own: it measures the circuit and is paid for the first time."""
    manager, inputs = small.market.manager, small.pack_inputs(len(nodes), seed=17)
    jobs = [
        small.open_job(packed, prover=node.account.address)
        for node, packed in zip(nodes, inputs, strict=True)
    ]
    wait_for(
        lambda: all(manager.status(job) is JobStatus.SETTLED for job in jobs), "jobs to warm up with", *nodes
    )
    # A node counts its job once it has seen the settlement confirmed: later than the chain has it.
    wait_for(
        lambda: all(total(node.metrics(), SETTLED, kind="job") >= 1 for node in nodes),
        "the count of these jobs",
        *nodes,
    )


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for bound in sockets:
            bound.bind(("127.0.0.1", 0))
        return [int(bound.getsockname()[1]) for bound in sockets]
