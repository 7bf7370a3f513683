"""Put a node together from its parts."""

from collections.abc import Sequence
from pathlib import Path

from eth_account.signers.local import LocalAccount

from circuits.bundle import Bundle
from circuits.systems import open_system
from marketplace.jobs import JobManagerBinding
from marketplace.tokens import PaymentToken
from prover_nodes.chain_port import ChainMarket, ChainTransactions
from prover_nodes.circuit_port import BundleCircuit
from prover_nodes.journal import open_journal
from prover_nodes.node import Node
from prover_nodes.outbox import Outbox
from prover_nodes.pipeline import Pipeline
from prover_nodes.policy import Policy
from prover_nodes.ports import Circuit
from verifier_contracts.router import VerifierRouter
from zkml.adapters.evm.rpc import Chain
from zkml.adapters.process.child import Limits
from zkml.adapters.system_clock import SystemClock
from zkml.config.settings import ChainSettings, ProverSettings
from zkml.core.ports.store import ArtifactStore
from zkml.core.progress import Progress, silent
from zkml.core.verifier_classes import accepted_classes

_MEBIBYTE = 1 << 20


def build_node(
    *,
    account: LocalAccount,
    manager: JobManagerBinding,
    router: VerifierRouter,
    token: PaymentToken,
    first_block: int,
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
        manager: the job manager; its chain is the node's chain.
        router: the verifier router.
        token: the payment token.
        first_block: height of the manager's deployment.
        bundles: what it can prove, opened with all roles.
        store: inputs by content address.
        journal: SQLite file, or database URL.
        work: private directory for witnesses.
        verifiers: folder of compiled verifiers, which the chain's are compared with.
        prover: fees, limits, margins.
        chain: accepted classes, confirmations, time limits.
        measurements: file that remembers how long proofs take; in memory when None.
        progress: told where each stage is.

    Raises:
        StorageError: the journal cannot be opened.
        CircuitError: a bundle of a proof system that this version does not know.
    """
    market = ChainMarket(manager, router, token, account.address, first_block=first_block)
    policy = policy_of(manager.chain, prover, chain)
    circuits = open_circuits(
        bundles, prover=prover, work=work, verifiers=verifiers, measurements=measurements
    )
    kept = open_journal(journal, market.scope)
    outbox = Outbox(
        transactions=ChainTransactions(manager.chain, account),
        journal=kept,
        clock=SystemClock(),
        timeout_seconds=chain.receipt_timeout_seconds,
        confirmations=policy.confirmations,
    )
    pipeline = Pipeline(
        market=market,
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
    )


def open_circuits(
    bundles: Sequence[Bundle],
    *,
    prover: ProverSettings,
    work: Path,
    verifiers: Path,
    measurements: Path | None = None,
) -> dict[bytes, Circuit]:
    """Return circuits by the digest of their verifying key, under which the router pins them.

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
    circuits: dict[bytes, Circuit] = {}
    for bundle in bundles:
        system = open_system(bundle.manifest.system, limits=limits, measurements=measurements)
        circuit = BundleCircuit(bundle, system, work=work, verifiers=verifiers, limits=limits)
        circuits[circuit.verifying_key_digest] = circuit
    return circuits
