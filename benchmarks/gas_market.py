"""A market of its own in which one model is settled, job by job or in batches, and what that costs."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eth_account.signers.local import LocalAccount

from benchmarks.gas_split import Split, split
from benchmarks.small_market import PLENTY, long_job, open_funded_market
from circuits.batches import pack_batch
from circuits.bundle import Bundle
from circuits.port import ProofSystem
from circuits.single_proof import prove_input
from circuits.verifier_source import VerifierChoice
from zkml.adapters.evm.answers import TransactionReceipt
from zkml.config.home import Home
from zkml.core.records import from_hex
from zkml.publish.listing import Listing
from zkml.publish.publication import Publication, publish
from zkml.wiring import Market, open_store

_CALL_TRACER = {"tracer": "callTracer"}
_OPCODES = {"disableStack": True, "disableMemory": True, "disableStorage": True}


@dataclass(frozen=True)
class GasMarket:
    """One published model, and the account that asks and proves.

    Attributes:
        market: chain and contracts.
        account: owner, client and prover in one; all its balances are other than zero.
        system: the proof system.
        bundles: the circuit for one input, then those of batches.
        published: the model; circuits in the order of `bundles`.
        folder: for witnesses.
    """

    market: Market
    account: LocalAccount
    system: ProofSystem
    bundles: tuple[Bundle, ...]
    published: Publication
    folder: Path

    def settle(self, packed: bytes) -> Split:
        """Open and claim a job, prove it and settle it; return where the gas went."""
        return self._split(self.settled(packed))

    def settled(self, packed: bytes) -> TransactionReceipt:
        """Open and claim a job, prove it and settle it; return the settlement's receipt."""
        manager, job = self.market.manager, self._claimed(packed)
        proof = prove_input(
            self.bundles[0],
            self.system,
            packed,
            self.folder / "witness",
            context=manager.context_of(job, self.account.address),
        )
        return manager.settle(self.account, job, packed, from_hex(proof.output), from_hex(proof.proof))

    def settle_batch(self, place: int, packed: Sequence[bytes]) -> Split:
        """Open and claim jobs, prove them by one proof and settle them by one transaction.

        Args:
            place: of the circuit among `bundles`.
            packed: as many inputs as it takes.
        """
        manager, bundle = self.market.manager, self.bundles[place]
        jobs = [self._claimed(each) for each in packed]
        proof = prove_input(
            bundle,
            self.system,
            pack_batch(bundle.manifest, packed),
            self.folder / "witness",
            context=manager.batch_context_of(jobs, self.account.address),
        )
        parts = (from_hex(proof.input), from_hex(proof.output), from_hex(proof.proof))
        circuit = self.published.circuits[place].circuit_id
        return self._split(manager.settle_batch(self.account, jobs, circuit, parts))

    def opcodes(self, transaction: str) -> list[dict[str, Any]]:
        """Return the opcodes of a transaction as the node traces them, without stack, memory and storage."""
        logs: list[dict[str, Any]] = self._trace(transaction, _OPCODES)["structLogs"]
        return logs

    def _claimed(self, packed: bytes) -> bytes:
        model, circuit = self.published.model_id, self.published.circuit.circuit_id
        spec = long_job(self.market.chain, model, circuit, packed)
        job, _ = self.market.manager.open(self.account, spec, packed)
        self.market.manager.claim(self.account, job)
        return job

    def _split(self, receipt: TransactionReceipt) -> Split:
        trace = self._trace(receipt.transaction, _CALL_TRACER)
        return split(trace, gas_used=receipt.gas_used, router=self.market.router.address)

    def _trace(self, transaction: str, options: dict[str, Any]) -> dict[str, Any]:
        trace: dict[str, Any] = self.market.chain.send_once("debug_traceTransaction", [transaction, options])
        return trace


@contextlib.contextmanager
def open_gas_market(
    folder: Path,
    system: ProofSystem,
    bundles: Sequence[Bundle],
    verifier: VerifierChoice | None = None,
    *,
    keep_opcodes: bool = False,
) -> Iterator[GasMarket]:
    """Start a chain that ends with this process, publish a model there and enrol its prover.

    Args:
        folder: for everything that lies in files.
        system: the proof system.
        bundles: the circuit for one input, then those of batches.
        verifier: which one its circuits get; the system's usual one when None.
        keep_opcodes: whether `GasMarket.opcodes` is to be asked.
    """
    home, first = Home(folder / "home"), bundles[0]
    with open_funded_market(folder, home, keep_opcodes=keep_opcodes) as (market, account):
        published = publish(
            market,
            account,
            first,
            system,
            store=open_store(home),
            cache_dir=home.verifiers,
            scratch=folder / "scratch",
            listing=Listing(verifier=verifier),
            batches=bundles[1:],
        )
        market.token.approve(account, market.provers.address, PLENTY)
        kind = market.router.circuit(published.circuit.circuit_id).proof_system_id
        market.provers.register(account, "", [kind])
        market.provers.stake(account, PLENTY // 10)
        yield GasMarket(market, account, system, tuple(bundles), published, folder)
