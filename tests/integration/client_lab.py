"""A market with one proven model, a requester, a prover and a journal: what the client's tests stand on."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chain_fixtures import EXAMPLE_OUTPUT, ONE_TOKEN, build_market, example_input, proof_of

from zkml import wiring
from zkml.adapters.evm.anvil import Anvil
from zkml.adapters.evm.rpc import Chain
from zkml.client import OpenedJob, OpeningJournal, open_job
from zkml.core.identifiers import VerifierClass

LOCAL = frozenset({VerifierClass.LOCAL})
INPUT = example_input()
FEE = 2 * ONE_TOKEN
ESCROW = FEE + ONE_TOKEN + 10_000
"""The prover's fee, the model's fee of one token, and the platform's flat fee."""


class Lab:
    """A market with one proven model, and a journal."""

    def __init__(self, node: Anvil, chain: Chain, folder: Path) -> None:
        self.endpoint = node.endpoint
        self.built = build_market(chain, folder / "deployments")
        self.market = wiring.bind(chain, self.built.deployment)
        self.folder = folder
        self.journal = OpeningJournal(folder / "client")
        self.requester = self.built.funded(1_000 * ONE_TOKEN)
        self.prover = self.built.enrolled()

    def open(self, **changes: Any) -> OpenedJob:
        asked = {
            "model_id": self.built.model_id,
            "packed_input": INPUT,
            "min_prover_fee": FEE,
            "max_prover_fee": FEE,
            "max_total": ESCROW,
            "deadline": self.market.chain.now() + 600,
            "accepted_classes": LOCAL,
        } | changes
        account = asked.pop("account", self.requester)
        return open_job(self.market, account, self.journal, **asked)

    def settle(self, job: bytes) -> None:
        self.market.manager.claim(self.prover, job)
        self.market.manager.settle(self.prover, job, INPUT, EXAMPLE_OUTPUT, proof_of(INPUT, EXAMPLE_OUTPUT))

    @contextlib.contextmanager
    def afterwards_undone(self) -> Iterator[None]:
        """Let a test do what cannot be taken back, and take it back."""
        snapshot = self.market.chain.send_once("evm_snapshot", [])
        try:
            yield
        finally:
            assert self.market.chain.send_once("evm_revert", [snapshot]) is True


@contextlib.contextmanager
def start_lab(folder: Path) -> Iterator[Lab]:
    """Start a node with everything deployed."""
    with Anvil.start(folder / "chain") as node, Chain(node.endpoint) as chain:
        yield Lab(node, chain, folder)
