"""Put a node together from its parts."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from eth_account.signers.local import LocalAccount

from circuits.bundle import Bundle
from prover_nodes.admission import Admission
from prover_nodes.chain_port import ChainMarket, ChainTransactions
from prover_nodes.claiming import Claiming
from prover_nodes.direct.artifacts import store_public_files
from prover_nodes.filing import Filing
from prover_nodes.halting import Halt, HaltingClock, halting_progress
from prover_nodes.journal import Journal, open_journal
from prover_nodes.judge import Judge
from prover_nodes.node import Node
from prover_nodes.observer import Observer, SilentObserver
from prover_nodes.outbox import Outbox
from prover_nodes.pipeline import Pipeline
from prover_nodes.policy import Policy
from prover_nodes.ports import Circuit, Transactions
from prover_nodes.ports import Market as MarketPort
from prover_nodes.slots import ProvingSlots
from prover_nodes.workers.count import proofs_at_once
from prover_nodes.workers.opening import OpenCircuits, open_circuits
from zkml.adapters.evm.rpc import Chain
from zkml.adapters.process.memory import available_memory
from zkml.adapters.system_clock import SystemClock
from zkml.config.settings import ChainSettings, ProverSettings
from zkml.core.ports.clock import Clock
from zkml.core.ports.store import ArtifactStore
from zkml.core.progress import Progress, silent
from zkml.core.verifier_classes import accepted_classes
from zkml.wiring import Market

_MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class NodeParts:
    """What the components of one node process share. Close it, or use `with`.

    Attributes:
        account: the prover's key.
        chain_market: the chain and its contracts.
        market: these, as this prover sees them.
        transactions: of the account.
        outbox: gets them mined.
        journal: the node's memory.
        circuits: what it can prove.
        opened: these, and whoever works for them.
        slots: where proofs are made.
        admission: promises proofs there.
        policy: which work it takes on.
        observer: told what happens.
        store: inputs by content address.
        progress: told where each stage is; ends the stage once `halt` is set.
        clock: on which nobody sleeps beyond `halt`.
        halt: ends everything that waits.
        prover: workers, margins, limits.
        chain: confirmations, time limits.
    """

    account: LocalAccount
    chain_market: Market
    market: MarketPort
    transactions: Transactions
    outbox: Outbox
    journal: Journal
    circuits: Sequence[Circuit]
    opened: OpenCircuits
    slots: ProvingSlots
    admission: Admission
    policy: Policy
    observer: Observer
    store: ArtifactStore
    progress: Progress
    clock: Clock
    halt: Halt
    prover: ProverSettings
    chain: ChainSettings

    def close(self) -> None:
        """End what works for the circuits, and close the journal."""
        self.opened.close()
        self.journal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def build_node(
    *,
    account: LocalAccount,
    market: Market,
    bundles: Sequence[Bundle],
    store: ArtifactStore,
    journal: Path | str,
    work: Path,
    verifiers: Path,
    prover: ProverSettings,
    chain: ChainSettings,
    measurements: Path | None = None,
    progress: Progress = silent,
    observer: Observer | None = None,
) -> Node:
    """Build a node that serves a market alone: see `build_parts`, whose arguments it takes.

    Close it when done, or use `with`.
    """
    return node_of(
        build_parts(
            account=account,
            market=market,
            bundles=bundles,
            store=store,
            journal=journal,
            work=work,
            verifiers=verifiers,
            prover=prover,
            chain=chain,
            measurements=measurements,
            progress=progress,
            observer=observer,
        )
    )


def build_parts(
    *,
    account: LocalAccount,
    market: Market,
    bundles: Sequence[Bundle],
    store: ArtifactStore,
    journal: Path | str,
    work: Path,
    verifiers: Path,
    prover: ProverSettings,
    chain: ChainSettings,
    measurements: Path | None = None,
    progress: Progress = silent,
    observer: Observer | None = None,
    endpoint: str = "",
) -> NodeParts:
    """Build what the components of a node process share.

    Args:
        account: the prover's key.
        market: the chain and its contracts.
        bundles: what it can prove, opened with all roles.
        store: inputs by content address; gets what is public of the bundles.
        journal: SQLite file, or database URL.
        work: private directory for witnesses.
        verifiers: folder of compiled verifiers, which the chain's are compared with.
        prover: fees, stake, limits, margins.
        chain: accepted classes, confirmations, time limits.
        measurements: file that remembers how long proofs take; in memory when None.
        progress: told where each stage is.
        observer: told what happens; nobody when None.
        endpoint: where clients reach it, for its registration; may be empty.

    Raises:
        StorageError: the journal cannot be opened, or the store takes nothing.
        CircuitError: a bundle of a proof system that this version does not know.
        ConfigError, ToolchainError, GpuError: see `workers.opening.open_circuits`.
    """
    halt, observer = Halt(), observer or SilentObserver()
    clock = HaltingClock(SystemClock(), halt)
    bound = ChainMarket(market, account.address, endpoint=endpoint)
    policy = policy_of(market.chain, prover, chain)
    for bundle in bundles:
        store_public_files(bundle, store)
    opened = open_circuits(
        bundles,
        prover=prover,
        work=work,
        verifiers=verifiers,
        measurements=measurements,
        observer=observer,
    )
    transactions = ChainTransactions(market.chain, account)
    slots = open_slots(prover, clock, halt)
    kept = open_journal(journal, bound.scope)
    outbox = Outbox(
        transactions=transactions,
        journal=kept,
        clock=clock,
        timeout_seconds=chain.receipt_timeout_seconds,
        confirmations=policy.confirmations,
        replace_seconds=chain.replace_seconds,
        observer=observer,
    )
    return NodeParts(
        account=account,
        chain_market=market,
        market=bound,
        transactions=transactions,
        outbox=outbox,
        journal=kept,
        circuits=opened.circuits,
        opened=opened,
        slots=slots,
        admission=admission_of(prover, slots),
        policy=policy,
        observer=observer,
        store=store,
        progress=halting_progress(progress, halt),
        clock=clock,
        halt=halt,
        prover=prover,
        chain=chain,
    )


def node_of(parts: NodeParts) -> Node:
    """Return the component that serves the market; closing it closes the parts."""
    judge = Judge(parts.market, parts.circuits, parts.policy, parts.admission, parts.progress)
    claiming = Claiming(
        judge=judge,
        outbox=parts.outbox,
        filing=Filing(parts.journal, parts.progress, parts.observer),
        store=parts.store,
        input_limit_bytes=parts.prover.input_limit_bytes,
    )
    return Node(
        Pipeline(claiming),
        halt=parts.halt,
        observer=parts.observer,
        poll_seconds=parts.prover.poll_seconds,
        # As many as may wait for their proofs: a claim takes a block to be mined.
        claimers=parts.slots.count + 1,
        provers=parts.slots.count,
        settlers=parts.prover.settlers,
        drain_seconds=parts.prover.drain_seconds,
        close=parts.close,
    )


def policy_of(chain: Chain, prover: ProverSettings, settings: ChainSettings) -> Policy:
    """Return the policy that the settings ask for on this chain."""
    return Policy(
        accepted_classes=accepted_classes(settings.accepted_classes, chain.chain_id),
        min_fee=prover.min_fee,
        margin_seconds=prover.margin_seconds,
        confirmations=0 if chain.is_local else settings.confirmations,
        reclaim=prover.reclaim,
        auto_stake=prover.auto_stake,
        max_stake=prover.max_stake,
        cost_per_hour=prover.cost_per_hour,
        units_per_ether=prover.units_per_ether,
    )


def open_slots(prover: ProverSettings, clock: Clock, halt: Halt | None = None) -> ProvingSlots:
    """Return the slots that settings and this machine's memory allow; a cluster's nodes have their own."""
    count = proofs_at_once(prover)
    memory = count * prover.memory_limit_mib * _MEBIBYTE
    if not prover.ray_address:
        memory = min(memory, available_memory())
    # A task of a cluster has processors of its own; what is made here has only these.
    return ProvingSlots(count, memory, clock, is_shared=not prover.ray_address, halt=halt)


def admission_of(prover: ProverSettings, slots: ProvingSlots) -> Admission:
    """Return what promises proofs in these slots."""
    return Admission(slots, prover.memory_limit_mib * _MEBIBYTE)
