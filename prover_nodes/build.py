"""Put a node together from its parts."""

from collections.abc import Sequence
from pathlib import Path

from eth_account.signers.local import LocalAccount

from circuits.bundle import Bundle
from circuits.systems import open_system
from prover_nodes.chain_port import ChainMarket, ChainTransactions
from prover_nodes.circuit_port import BundleCircuit
from prover_nodes.journal import open_journal
from prover_nodes.node import Node
from prover_nodes.outbox import Outbox
from prover_nodes.pipeline import Pipeline
from prover_nodes.policy import Policy
from prover_nodes.ports import Circuit
from zkml.adapters.evm.rpc import Chain
from zkml.adapters.process.child import Limits
from zkml.adapters.system_clock import SystemClock
from zkml.config.settings import ChainSettings, ProverSettings
from zkml.core.ports.store import ArtifactStore
from zkml.core.progress import Progress, silent
from zkml.core.verifier_classes import accepted_classes
from zkml.wiring import Market

_MEBIBYTE = 1 << 20


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
) -> Node:
    """Build a prover node. Close its journal when done: `node.journal.close()`, or `with node.journal:`.

    Args:
        account: the prover's key.
        market: the chain and its contracts.
        bundles: what it can prove, opened with all roles.
        store: inputs by content address.
        journal: SQLite file, or database URL.
        work: private directory for witnesses.
        verifiers: folder of compiled verifiers, which the chain's are compared with.
        prover: fees, stake, limits, margins.
        chain: accepted classes, confirmations, time limits.
        measurements: file that remembers how long proofs take; in memory when None.
        progress: told where each stage is.

    Raises:
        StorageError: the journal cannot be opened.
        CircuitError: a bundle of a proof system that this version does not know.
    """
    bound = ChainMarket(market, account.address)
    policy = policy_of(market.chain, prover, chain)
    circuits = open_circuits(
        bundles, prover=prover, work=work, verifiers=verifiers, measurements=measurements
    )
    kept = open_journal(journal, bound.scope)
    outbox = Outbox(
        transactions=ChainTransactions(market.chain, account),
        journal=kept,
        clock=SystemClock(),
        timeout_seconds=chain.receipt_timeout_seconds,
        confirmations=policy.confirmations,
    )
    pipeline = Pipeline(
        market=bound,
        outbox=outbox,
        journal=kept,
        circuits=circuits,
        store=store,
        policy=policy,
        input_limit_bytes=prover.input_limit_bytes,
        progress=progress,
    )
    return Node(pipeline, poll_seconds=prover.poll_seconds)


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
    )


def open_circuits(
    bundles: Sequence[Bundle],
    *,
    prover: ProverSettings,
    work: Path,
    verifiers: Path,
    measurements: Path | None = None,
) -> list[Circuit]:
    """Return the circuits of bundles.

    Args:
        bundles: opened with all roles.
        prover: memory and time of a proving process.
        work: private directory for witnesses.
        verifiers: folder of compiled verifiers.
        measurements: file that remembers how long proofs take; in memory when None.

    Raises:
        CircuitError: a bundle of a proof system that this version does not know.
    """
    limits = Limits(prover.memory_limit_mib * _MEBIBYTE, prover.time_limit_seconds)
    circuits: list[Circuit] = []
    for bundle in bundles:
        system = open_system(bundle.manifest.system, limits=limits, measurements=measurements)
        circuits.append(BundleCircuit(bundle, system, work=work, verifiers=verifiers, limits=limits))
    return circuits
