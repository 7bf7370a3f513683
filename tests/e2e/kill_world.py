"""A market with one tiny real model of either proof system, built once in a test run, and nodes that are killed.

A case is a copy of a home in which a node has measured its circuit, on a chain that is put back to one
snapshot before each case: so that all cases begin alike, and their figures can be compared.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from built_once import built_once
from eth_account import Account
from eth_account.signers.local import LocalAccount

sys.path.insert(0, str(Path(__file__).parents[1] / "integration"))

from ezkl_circuits import SAMPLES, lab, octet_lab

from prover_nodes.journal import Journal, open_journal
from verifier_contracts.deploy import deploy_core
from zkml.adapters.evm.anvil import Anvil
from zkml.adapters.evm.rpc import Chain
from zkml.adapters.keys.dev_keys import dev_account
from zkml.config.home import Home
from zkml.core.digests import keccak256
from zkml.core.identifiers import FeeTerms
from zkml.core.market_identifiers import JobSpec
from zkml.core.tensors import input_commitment
from zkml.publish.listing import Listing
from zkml.publish.publication import publish
from zkml.wiring import Market, open_market, open_store

ONE_TOKEN = 1_000_000
FEE = 2 * ONE_TOKEN
FUNDS = 100 * ONE_TOKEN
PATIENCE_SECONDS = 120.0
SETTINGS = {
    "ZKML_PROVER_POLL_SECONDS": "0.05",
    "ZKML_PROVER_MARGIN_SECONDS": "5",
    "ZKML_PROVER_MEMORY_LIMIT_MIB": "2048",
    "ZKML_API_PROVER_FEE": str(ONE_TOKEN),
    "ZKML_API_SETTLE_MARGIN_SECONDS": "20",
}
PROVER = Account.from_key(keccak256(b"the killed node"))
REQUESTER = Account.from_key(keccak256(b"who pays"))


def until(condition: Callable[[], Any], what: str, seconds: float = PATIENCE_SECONDS) -> Any:
    """Return the first true value of a condition."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{what} did not come true in {seconds:g} s"
        time.sleep(0.01)
    return value


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


# --- what is built once -------------------------------------------------------------------------


def _build(folder: Path, system: str) -> dict[str, Any]:
    """Publish the model on a new chain; leave home and chain behind."""
    tiny, home = octet_lab() if system == "octet" else lab("Relu"), Home(folder / "home")
    shutil.copytree(tiny.bundle.path, home.bundles / "tiny")
    home.keys.mkdir(mode=0o700)
    for role, account in (("prover", PROVER), ("requester", REQUESTER)):
        path = home.keys / f"{role}.key"
        path.touch(0o600)
        path.write_text(bytes(account.key).hex())
    samples = [tiny.system.quantize_input(tiny.bundle, sample) for sample in SAMPLES[:6]]
    with Anvil.start(home.chain) as anvil, Chain(anvil.endpoint) as chain:
        deployer = dev_account(chain.chain_id)
        deploy_core(chain, deployer, folder=home.deployments)
        market = open_market(home, chain)
        listing = Listing(fees=FeeTerms(model_fee=ONE_TOKEN))
        published = publish(
            market,
            deployer,
            tiny.bundle,
            tiny.system,
            store=open_store(home),
            cache_dir=home.verifiers,
            scratch=folder / "scratch",
            listing=listing,
        )
        for account, units in ((PROVER, FUNDS), (REQUESTER, 10 * FUNDS)):
            chain.send_once("anvil_setBalance", [account.address, hex(10**18)])
            market.token.mint(deployer, account.address, units)
        market.token.approve(REQUESTER, market.ledger.address, 10 * FUNDS)
    return {
        "system": system,
        "model_id": published.model_id,
        "circuit_id": published.circuit.circuit_id,
        "inputs": samples,
    }


@dataclass
class Zygote:
    """The process whose forks are nodes."""

    process: subprocess.Popen[bytes]
    statuses: dict[int, int] = field(default_factory=dict)
    started: list[int] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    @classmethod
    def start(cls, folder: Path) -> Self:
        command = [sys.executable, str(Path(__file__).with_name("kill_zygote.py"))]
        with (folder / "zygote.log").open("wb") as log:
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
        zygote = cls(process)
        threading.Thread(target=zygote._listen, daemon=True).start()
        return zygote

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            told = json.loads(line)
            with self.changed:
                if "status" in told:
                    self.statuses[told["pid"]] = told["status"]
                elif "pid" in told:
                    self.started.append(told["pid"])
                self.changed.notify_all()

    def fork(self, given: dict[str, Any]) -> int:
        """Start a command and return its process id."""
        assert self.process.stdin is not None
        with self.changed:
            count = len(self.started)
            self.process.stdin.write(json.dumps(given).encode() + b"\n")
            self.process.stdin.flush()
            assert self.changed.wait_for(lambda: len(self.started) > count, PATIENCE_SECONDS)
            return self.started[-1]

    def status(self, pid: int, seconds: float = PATIENCE_SECONDS) -> int | None:
        """Wait for a command's end; return its exit code, or minus the signal that ended it."""
        with self.changed:
            self.changed.wait_for(lambda: pid in self.statuses, seconds)
            return self.statuses.get(pid)

    def kill_all(self) -> None:
        """SIGKILL whatever still runs."""
        for pid in [pid for pid in self.started if pid not in self.statuses]:
            os.kill(pid, signal.SIGKILL)
            self.status(pid)

    def close(self) -> None:
        """End it with all its forks."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(10)
        assert self.process.stdout is not None
        self.process.stdout.close()


class World:
    """A running chain with the model, and the home that each node gets a copy of."""

    def __init__(self, template: Path, built: dict[str, Any], chain: Chain, zygote: Zygote) -> None:
        self.template, self.chain, self.zygote = template, chain, zygote
        self.system: str = built["system"]
        self.model_id: int = built["model_id"]
        self.circuit_id: bytes = built["circuit_id"]
        self.inputs: list[bytes] = built["inputs"]
        self.market: Market = open_market(Home(template), chain)
        self.deployer: LocalAccount = dev_account(chain.chain_id)
        self._snapshot = chain.send_once("evm_snapshot", [])

    def go_back(self) -> None:
        """Put the chain back to where every case begins; what a failed case left running ends."""
        self.zygote.kill_all()
        for method, argument in (("evm_setIntervalMining", 0), ("evm_setAutomine", True)):
            self.chain.send_once(method, [argument])
        assert self.chain.send_once("evm_revert", [self._snapshot]) is True
        self._snapshot = self.chain.send_once("evm_snapshot", [])

    def keep(self) -> None:
        """Let cases begin where the chain is now."""
        self._snapshot = self.chain.send_once("evm_snapshot", [])

    def job_spec(self, packed: bytes, *, uri: str = "", seconds: int = 3600) -> JobSpec:
        """Return a job on the model for a fixed fee."""
        return JobSpec(
            model_id=self.model_id,
            circuit_id=self.circuit_id,
            input_commitment=input_commitment(packed),
            input_uri=uri,
            min_prover_fee=FEE,
            max_prover_fee=FEE,
            max_total=10 * ONE_TOKEN,
            ramp_seconds=0,
            claim_seconds=600,
            deadline=self.chain.now() + seconds,
        )

    def open_job(self, packed: bytes | None = None, **spec: Any) -> bytes:
        """Open a job whose input lies in its opening."""
        packed = self.inputs[0] if packed is None else packed
        job_id, _ = self.market.manager.open(REQUESTER, self.job_spec(packed, **spec), packed)
        return job_id


@contextlib.contextmanager
def open_world(folder: Path, system: str = "ezkl") -> Iterator[World]:
    """Start a chain and a zygote of one's own on a copy of what is built once for a proof system."""
    built_folder, built = built_once(f"killed-node-{system}", lambda made: _build(made, system))
    template = Path(shutil.copytree(built_folder / "home", folder / "home"))
    zygote = Zygote.start(folder)
    try:
        with Anvil.start(folder / "home" / "chain") as anvil, Chain(anvil.endpoint) as chain:
            yield World(template, built, chain, zygote)
    finally:
        zygote.close()


# --- nodes --------------------------------------------------------------------------------------


@dataclass
class Process:
    """One run of a node."""

    zygote: Zygote
    pid: int
    log: Path
    crossings: Path
    output: Path

    def crossed(self) -> list[str]:
        """Return the crossings so far."""
        if not self.crossings.exists():
            return []
        return [line for line in self.crossings.read_text().splitlines() if line]

    def wait_for(self, crossing: str) -> None:
        """Wait until it crossed something; fail as soon as it has ended before."""
        until(lambda: crossing in self.crossed() or self.has_ended(), crossing)
        assert crossing in self.crossed(), self.told()

    def wait(self, seconds: float = PATIENCE_SECONDS) -> int:
        """Return how it ended."""
        status = self.zygote.status(self.pid, seconds)
        assert status is not None, f"it still runs: {self.told()}"
        return status

    def has_ended(self) -> bool:
        """Say whether it has."""
        return self.zygote.status(self.pid, 0) is not None

    def expect_killed(self) -> None:
        """Wait until it has killed itself."""
        assert self.wait() == -signal.SIGKILL, self.told()

    def kill(self) -> None:
        """SIGKILL."""
        os.kill(self.pid, signal.SIGKILL)
        assert self.wait() == -signal.SIGKILL

    def drain(self) -> None:
        """Ask it to end, and wait until it has."""
        os.kill(self.pid, signal.SIGTERM)
        assert self.wait() == 0, self.told()

    def told(self) -> str:
        """Return the end of its log, for whoever looks at a failure."""
        # The fork that is to write it may not have begun.
        log = self.log.read_text() if self.log.exists() else ""
        return f"{log[-3000:]}\n{self.crossed()[-12:]}"


class Operator:
    """A home and the runs of the node in it."""

    def __init__(
        self,
        world: World,
        folder: Path,
        *,
        endpoint: str = "",
        key: LocalAccount | None = None,
        **settings: str,
    ) -> None:
        skipped = shutil.ignore_patterns("chain", "journal.sqlite*", "*.lock", "*.pid")
        self.world = world
        self.home = Home(Path(shutil.copytree(world.template, folder / "operator", ignore=skipped)))
        self.account = key or PROVER
        if key is not None:
            (self.home.keys / "prover.key").write_text(bytes(key.key).hex())
        self.environment = {
            **SETTINGS,
            **settings,
            "ZKML_HOME": str(self.home.root),
            "ZKML_CHAIN_RPC_URL": endpoint or world.chain.endpoint,
            "NO_COLOR": "1",
        }
        self.folder = folder
        self.runs: list[Process] = []

    def run(self, *argv: str, **given: Any) -> Process:
        """Start `zkml prover run`; see `kill_crossings.Crossings` for what else may be given."""
        number = len(self.runs)
        log, crossings, output = (
            self.folder / f"run-{number}.{kind}" for kind in ("log", "crossings", "output")
        )
        request = {
            "argv": ["prover", "run", *argv],
            "environment": self.environment,
            "log": str(log),
            "crossings": str(crossings),
            "output": str(output),
            **given,
        }
        process = Process(self.world.zygote, self.world.zygote.fork(request), log, crossings, output)
        self.runs.append(process)
        return process

    def crossings(self) -> Counter[str]:
        """Count the crossings of all runs."""
        return Counter(line for run in self.runs for line in run.crossed())

    def journal(self) -> Journal:
        """Open the journal, to be closed by the caller."""
        chain = self.world.chain
        scope = f"{chain.chain_id}:{chain.genesis_hash}:{self.world.market.manager.address}"
        return open_journal(self.home.journal, scope)


@dataclass(frozen=True)
class Ledger:
    """What an account has in the end, and how it got there."""

    transactions: int
    tokens: int
    credits: int
    free: int
    locked: int

    @classmethod
    def of(cls, world: World, account: str) -> Self:
        """Read the chain."""
        market = world.market
        stake = market.provers.stake_of(account)
        return cls(
            transactions=world.chain.nonce(account),
            tokens=market.token.balance_of(account),
            credits=market.ledger.credits_of(account),
            free=stake.free,
            locked=stake.locked,
        )
