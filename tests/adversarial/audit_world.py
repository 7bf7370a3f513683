"""A whole chain in memory, recorded from a real one, that can be made to tell one lie.

Recorded here: a tiny circuit's real verifier and one for two inputs, a model of both with its genesis proofs
and a declared parent; jobs settled with real proofs alone, together, in a batch, in grace and after two
takeovers; jobs that expired claimed and taken over, one that was cancelled, one that is claimed; signed
requests settled from a tab that is open and from one that was closed, and one that waits; and, on a second
deployment, a job settled through a verifier that accepts anything and one that its tombstone ended.
Everything after the recording needs no node.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from eth_account import Account
from onnx import TensorProto, helper, numpy_helper

from circuits.batches import pack_batch
from circuits.bundle import Bundle
from circuits.port import CompileRequest, ProofSystem
from circuits.srs import SrsStore
from circuits.systems import open_system
from marketplace.calldata import given_activation, given_settlements
from marketplace.jobs import Settlement
from registry.lineage import Parent
from verifier_contracts.artifacts import load_artifact
from verifier_contracts.deploy import deploy_core
from verifier_contracts.deployments import Deployment
from zkml import wiring
from zkml.adapters.evm import abi, transactions
from zkml.adapters.evm.answers import Block, Log, Transaction, TransactionReceipt
from zkml.adapters.evm.anvil import Anvil
from zkml.adapters.evm.rpc import Chain
from zkml.adapters.evm.timetravel import pass_time
from zkml.adapters.keys.dev_keys import dev_account
from zkml.adapters.keys.typed_signatures import sign_message
from zkml.adapters.store.directory import DirectoryStore
from zkml.audit.evidence import Contracts
from zkml.audit.job_audit import audit_job
from zkml.audit.policy import AuditPolicy
from zkml.audit.report import Report
from zkml.audit.request_audit import audit_request
from zkml.audit.request_case import Signed
from zkml.core.digests import digest_bytes
from zkml.core.identifiers import CircuitSpec, FeeTerms, VerifierClass, proof_system_id
from zkml.core.market_identifiers import JobSpec, TabSpec
from zkml.core.records import from_hex
from zkml.core.signed_requests import SignedRequest, request_message
from zkml.core.tensors import input_commitment
from zkml.errors import RevertedError, RpcError
from zkml.publish.listing import Listing
from zkml.publish.publication import commitment_of, publish, store_artifacts

MIN_FEE = 1_000_000
MAX_FEE = 2_000_000
RAMP_SECONDS = 1000
CLAIM_SECONDS = 60
MODEL_FEES = FeeTerms(model_fee=500_000, min_model_fee=100_000, min_model_fee_ppm=50_000)
PARENT_PPM = 50_000
ACCEPTS_ANYTHING = bytes.fromhex("60016000f3")
"""Creation code of a contract of one byte, STOP: every call of it succeeds and returns nothing."""


@dataclass(frozen=True)
class RecordedChain:
    """Implements `zkml.audit.evidence.ChainEvidence` from memory; every change is a new chain."""

    chain_id: int
    head: int
    time: int
    blocks: Mapping[int, Block]
    codes: Mapping[str, bytes]
    calls: Mapping[tuple[str, bytes], bytes]
    transactions: Mapping[str, Transaction]
    receipts: Mapping[str, TransactionReceipt]

    def height(self) -> int:
        return self.head

    def now(self) -> int:
        return self.time

    def has_block(self, number: int, block_hash: str) -> bool:
        return number in self.blocks and self.blocks[number].block_hash == block_hash

    def block(self, tag: int, /) -> Block:
        if tag not in self.blocks:
            raise RpcError(f"expected block {tag}, found none")
        return self.blocks[tag]

    def code(self, account: str) -> bytes:
        return self.codes.get(account, b"")

    def call(self, target: str, data: bytes, *, what: str) -> bytes:
        if (target, data) not in self.calls:
            raise RevertedError(f"expected {what} to succeed, found that it reverted", name="", data="0x")
        return self.calls[target, data]

    def logs(self, address: str, topics: Sequence[bytes | None], *, from_block: int) -> Iterator[Log]:
        found = [
            log
            for receipt in self.receipts.values()
            for log in receipt.logs
            if log.address == address
            and log.block >= from_block
            and all(topic in (None, *log.topics[i : i + 1]) for i, topic in enumerate(topics))
        ]
        yield from sorted(found, key=lambda log: (log.block, log.index))

    def receipt(self, transaction: str) -> TransactionReceipt | None:
        return self.receipts.get(transaction)

    def transaction(self, transaction: str) -> Transaction | None:
        return self.transactions.get(transaction)

    # --- one lie each -----------------------------------------------------------------------------

    def with_code(self, address: str, code: bytes) -> "RecordedChain":
        """Return the chain with other code at an address."""
        return dataclasses.replace(self, codes={**self.codes, address: code})

    def with_answer(
        self, artifact: str, target: str, name: str, arguments: Sequence[Any], change: Callable[[Any], Any]
    ) -> "RecordedChain":
        """Return the chain with another answer to one view call; `change` maps decoded values."""
        entry = abi.function(load_artifact(artifact).abi, name)
        key = (target, abi.encode_call(entry, arguments))
        values = change(abi.decode_values(entry.outputs, self.calls[key], name))
        return dataclasses.replace(
            self, calls={**self.calls, key: abi.encode_arguments(entry.outputs, values, name)}
        )

    def with_transaction(self, transaction: str, **changes: Any) -> "RecordedChain":
        """Return the chain with a changed transaction."""
        changed = dataclasses.replace(self.transactions[transaction], **changes)
        return dataclasses.replace(self, transactions={**self.transactions, transaction: changed})

    def with_calldata(self, transaction: str, artifact: str, name: str, **changes: Any) -> "RecordedChain":
        """Return the chain with changed arguments in a transaction's calldata."""
        entry = abi.function(load_artifact(artifact).abi, name)
        arguments = abi.decode_calldata(entry, self.transactions[transaction].data) | changes
        return self.with_transaction(transaction, data=abi.encode_call(entry, list(arguments.values())))

    def with_receipt(self, transaction: str, **changes: Any) -> "RecordedChain":
        """Return the chain with a changed receipt."""
        changed = dataclasses.replace(self.receipts[transaction], **changes)
        return dataclasses.replace(self, receipts={**self.receipts, transaction: changed})

    def with_event(self, transaction: str, artifact: str, name: str, **changes: Any) -> "RecordedChain":
        """Return the chain with changed arguments in the first such event of a receipt."""
        logs = list(self.receipts[transaction].logs)
        position = self._position(transaction, artifact, name)
        logs[position] = encode_log(logs[position], artifact, name, changes)
        return self.with_receipt(transaction, logs=tuple(logs))

    def without_event(self, transaction: str, artifact: str, name: str) -> "RecordedChain":
        """Return the chain without the first such event of a receipt."""
        logs = list(self.receipts[transaction].logs)
        del logs[self._position(transaction, artifact, name)]
        return self.with_receipt(transaction, logs=tuple(logs))

    def with_event_again(self, transaction: str, artifact: str, name: str, **changes: Any) -> "RecordedChain":
        """Return the chain with a second such event at the end of a receipt."""
        logs = self.receipts[transaction].logs
        copy = encode_log(logs[self._position(transaction, artifact, name)], artifact, name, changes)
        last = max(log.index for log in logs)
        return self.with_receipt(transaction, logs=(*logs, dataclasses.replace(copy, index=last + 1)))

    def with_log(self, transaction: str, log: Log) -> "RecordedChain":
        """Return the chain with a foreign log at the end of a receipt."""
        logs = self.receipts[transaction].logs
        last = max(found.index for found in logs)
        return self.with_receipt(transaction, logs=(*logs, dataclasses.replace(log, index=last + 1)))

    def relayed(self, transaction: str, artifact: str, account: str, **published: Any) -> "RecordedChain":
        """Return the chain as if another account's transaction had led to a call by way of a contract.

        Args:
            transaction: the one that made the call itself.
            artifact: whose function it calls, JobManager or ModelRegistry.
            account: the signer of the transaction that is told instead, and the contract it calls.
            published: arguments of ProofPublished that differ from what was given.
        """
        sent = self.transactions[transaction]
        target = sent.target or ""
        if artifact == "JobManager":
            (given,) = given_settlements(self.chain_id, target, sent) or ()
        else:
            found = given_activation(target, sent)
            assert found is not None
            given = found
        told = self.with_transaction(transaction, sender=account, target=account, data=b"")
        return told.with_publication(
            transaction,
            artifact,
            target,
            **{
                "subject": given.subject,
                "input": given.packed_input,
                "output": given.packed_output,
                "proof": given.proof,
            }
            | published,
        )

    def with_publication(
        self, transaction: str, artifact: str, address: str, **arguments: Any
    ) -> "RecordedChain":
        """Return the chain with an event ProofPublished at the end of a receipt."""
        entry = abi.event(load_artifact(artifact).abi, "ProofPublished")
        receipt = self.receipts[transaction]
        data = abi.encode_arguments(
            entry.inputs[1:], [arguments[name] for name in entry.names[1:]], entry.name
        )
        log = dataclasses.replace(
            receipt.logs[-1], address=address, topics=(entry.topic, arguments["subject"]), data=data
        )
        return self.with_log(transaction, log)

    def moved_to_block(self, transaction: str, block: int) -> "RecordedChain":
        """Return the chain with a transaction, its receipt and its logs in another block."""
        receipt, block_hash = self.receipts[transaction], self.blocks[block].block_hash
        logs = tuple(dataclasses.replace(log, block=block, block_hash=block_hash) for log in receipt.logs)
        moved = self.with_transaction(transaction, block=block, block_hash=block_hash)
        return moved.with_receipt(transaction, block=block, block_hash=block_hash, logs=logs)

    def with_block(self, number: int, **changes: Any) -> "RecordedChain":
        """Return the chain with another head of a block."""
        changed = dataclasses.replace(self.blocks[number], **changes)
        return dataclasses.replace(self, blocks={**self.blocks, number: changed})

    def _position(self, transaction: str, artifact: str, name: str) -> int:
        entry = abi.event(load_artifact(artifact).abi, name)
        logs = self.receipts[transaction].logs
        return next(i for i, log in enumerate(logs) if log.topics[0] == entry.topic)


def encode_log(log: Log, artifact: str, name: str, changes: Mapping[str, Any]) -> Log:
    """Return a log with some of its event's arguments changed."""
    entry = abi.event(load_artifact(artifact).abi, name)
    values = abi.decode_log(entry, log).arguments | changes
    rows = list(zip(entry.names, entry.inputs, entry.indexed, strict=True))
    topics = [abi.topic_of(kind, values[key]) for key, kind, indexed in rows if indexed]
    kinds = [kind for _, kind, indexed in rows if not indexed]
    data = abi.encode_arguments(kinds, [values[key] for key, _, indexed in rows if not indexed], name)
    return dataclasses.replace(log, topics=(entry.topic, *topics), data=data)


class Recorder(Chain):
    """A chain that remembers what it was asked."""

    def __init__(self, endpoint: str) -> None:
        self.calls: dict[tuple[str, bytes], bytes] = {}
        self.codes: dict[str, bytes] = {}
        super().__init__(endpoint)

    def code(self, account: str) -> bytes:
        self.codes[account] = super().code(account)
        return self.codes[account]

    def call(self, target: str | None, data: bytes, **options: Any) -> bytes:
        answer = super().call(target, data, **options)
        self.calls[target or "", data] = answer
        return answer

    def recording(self) -> RecordedChain:
        """Return everything that happened, and the answers to everything that was asked."""
        sent: dict[str, Transaction] = {}
        receipts: dict[str, TransactionReceipt] = {}
        blocks: dict[int, Block] = {}
        head = self.height()
        for number in range(head + 1):
            block = self.request("eth_getBlockByNumber", hex(number), False)
            blocks[number] = self.block(number)
            for name in block["transactions"]:
                sent[name], receipts[name] = self.transaction(name), self.receipt(name)
        return RecordedChain(
            self.chain_id, head, self.block().timestamp, blocks, self.codes, self.calls, sent, receipts
        )


@dataclass(frozen=True)
class Asked:
    """A signed request, as its signer has it."""

    digest: bytes
    tab: bytes
    signed: Signed


@dataclass(frozen=True)
class World:
    """What the audits of these tests are about."""

    chain: RecordedChain
    contracts: Contracts
    fake_contracts: Contracts
    store: DirectoryStore
    bundle: Bundle
    batch: Bundle
    model: bytes
    requester: str
    provers: tuple[str, str, str]
    settled: bytes
    many: bytes
    batched: tuple[bytes, bytes]
    graced: bytes
    contested: bytes
    refunded: bytes
    refunded_contested: bytes
    cancelled: bytes
    claimed: bytes
    fake: bytes
    excused: bytes
    paid: Asked
    later: Asked
    last: Asked
    waiting: Asked

    def audit(self, job: bytes, chain: Any = None, **options: Any) -> Report:
        """Audit a job of the world, told by `chain`, and check that the report can be shown."""
        options = {"contracts": self.contracts, "store": self.store, "policy": AuditPolicy()} | options
        report = audit_job(job, chain or self.chain, **options)
        assert len(report.as_text().splitlines()) >= len(report.steps)
        return report

    def audit_request(self, asked: Asked, chain: Any = None, **options: Any) -> Report:
        """Audit a signed request of the world by its digest, told by `chain`."""
        options = {"contracts": self.contracts, "store": self.store, "policy": AuditPolicy()} | options
        report = audit_request(asked.digest, chain or self.chain, **options)
        assert len(report.as_text().splitlines()) >= len(report.steps)
        return report

    def transaction_with(self, event: str, job: bytes, artifact: str = "JobManager") -> str:
        """Return the transaction with this event about a job or model."""
        return self.transactions_with(event, job, artifact)[0]

    def transactions_with(self, event: str, job: bytes, artifact: str = "JobManager") -> list[str]:
        """Return the transactions with this event about a job or model, oldest first."""
        topic = abi.event(load_artifact(artifact).abi, event).topic
        contracts = self.fake_contracts if job in (self.fake, self.excused) else self.contracts
        address = {"JobManager": contracts.manager, "ModelRegistry": contracts.registry}[artifact]
        return [log.transaction for log in self.chain.logs(address, [topic, job], from_block=0)]


def write_tiny_onnx(path: Path) -> None:
    """Write y = x W + b, four inputs and two outputs."""
    weights = np.array([[1, -2], [0.5, 1], [-1, 0.25], [2, 1]], dtype=np.float32)
    bias = np.array([0.5, -0.25], dtype=np.float32)
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["x", "w", "b"], ["y"])],
        "tiny",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2])],
        [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(bias, "b")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    onnx.save(model, path)


def compile_tiny(folder: Path, **options: Any) -> tuple[ProofSystem, Bundle]:
    """Compile the tiny circuit with the real proof system."""
    write_tiny_onnx(folder / "tiny.onnx")
    system = open_system("ezkl")
    samples = np.random.default_rng(0).uniform(-1, 1, (16, 1, 4)).astype(np.float32)
    request = CompileRequest(
        "tiny", folder / "tiny.onnx", samples, folder / "bundle", SrsStore(folder / "srs"), **options
    )
    return system, system.compile(request)


@dataclass(frozen=True)
class SmallWorld:
    """One settled job of a running chain."""

    chain: Chain
    deployment: Deployment
    store: DirectoryStore
    bundle: Bundle
    folder: Path
    job: bytes
    circuit: bytes


class _Builder:
    """Walks through the recorded jobs on a real node."""

    def __init__(self, chain: Chain, folder: Path, **options: Any) -> None:
        self.chain, self.folder = chain, folder
        self.deployer = dev_account(chain.chain_id)
        self.store = DirectoryStore(folder / "store")
        self.system, self.bundle = compile_tiny(folder, **options)
        self.packed, self.other = (
            self.system.quantize_input(self.bundle, np.array(values, dtype=np.float32))
            for values in ([0.1, 0.2, -0.3, 0.5], [0.5, -0.5, 0.25, 0.1])
        )
        self.output, self.proof = self.prove(self.bundle, self.packed)

    def make_batch(self) -> None:
        """Compile and prove two inputs at once."""
        srs = SrsStore(self.folder / "srs")
        self.batch = self.system.compile_batch(self.bundle, 2, self.folder / "batch", srs)
        both = pack_batch(self.batch.manifest, [self.packed, self.other])
        self.together = (both, *self.prove(self.batch, both))

    def prove(self, bundle: Bundle, packed: bytes) -> tuple[bytes, bytes]:
        witness = self.system.witness(bundle, packed, self.folder / f"{len(packed)}.json")
        return witness.output, from_hex(self.system.prove(bundle, witness).proof.proof)

    def market(self, name: str) -> wiring.Market:
        return wiring.bind(self.chain, deploy_core(self.chain, self.deployer, folder=self.folder / name))

    def funded(self, market: wiring.Market) -> Any:
        account = Account.create()
        self.chain.send_once("anvil_setBalance", [account.address, hex(10**18)])
        market.token.mint(self.deployer, account.address, 100_000_000)
        market.token.approve(account, market.ledger.address, 100_000_000)
        return account

    def enrolled(self, market: wiring.Market) -> Any:
        account = self.funded(market)
        market.token.approve(account, market.provers.address, 50_000_000)
        market.provers.register(account, "", [proof_system_id(self.bundle.manifest.proof_system)])
        market.provers.stake(account, 50_000_000)
        return account

    def publish(self, market: wiring.Market, parent: int) -> int:
        return publish(
            market,
            self.deployer,
            self.bundle,
            self.system,
            self.store,
            cache_dir=self.folder / "verifiers",
            scratch=self.folder / "scratch",
            listing=Listing(fees=MODEL_FEES, parents=(Parent(parent, PARENT_PPM),)),
            batches=(self.batch,),
        ).model_id

    def publish_fake(self, market: wiring.Market) -> int:
        """Publish the same manifest behind an adapter that accepts anything."""
        manifest = self.bundle.manifest
        receipt = transactions.send(
            self.chain, self.deployer, transactions.Call(None, ACCEPTS_ANYTHING, "deploy")
        )
        spec = CircuitSpec(
            adapter=receipt.contract,
            adapter_code_hash=self.chain.code_hash(receipt.contract),
            verifying_key_digest=digest_bytes(manifest.verifying_key),
            weight_commitment=manifest.weight_commitment,
            proof_system_id=proof_system_id(manifest.proof_system),
            layout=manifest.tensor_layout,
            domain=manifest.input_domain,
            gas_limit=100_000,
            verifier_class=VerifierClass.LOCAL,
        )
        circuit, _ = market.router.add(self.deployer, spec)
        commitment = commitment_of(self.bundle, [circuit], store_artifacts(self.bundle, self.store))
        model, _ = market.registry.register(self.deployer, commitment)
        market.registry.activate(self.deployer, model, circuit, self.output, b"no proof at all")
        return model

    def open(
        self,
        market: wiring.Market,
        requester: Any,
        model: int,
        *,
        seconds: int = 3600,
        packed: bytes = b"",
    ) -> bytes:
        packed = packed or self.packed
        spec = JobSpec(
            model_id=model,
            circuit_id=market.registry.commitment_of(model).circuit_id,
            input_commitment=input_commitment(packed),
            input_uri="",
            min_prover_fee=MIN_FEE,
            max_prover_fee=MAX_FEE,
            max_total=10 * MAX_FEE,
            ramp_seconds=min(RAMP_SECONDS, seconds // 2),
            claim_seconds=CLAIM_SECONDS,
            deadline=self.chain.now() + seconds,
        )
        return market.manager.open(requester, spec, packed)[0]

    def build_shared(self) -> "SmallWorld":
        """Settle one job through the chain's shared verifier."""
        market = self.market("deployments")
        model = publish(
            market,
            self.deployer,
            self.bundle,
            self.system,
            self.store,
            cache_dir=self.folder / "verifiers",
            scratch=self.folder / "scratch",
            listing=Listing(verifier="shared"),
        ).model_id
        prover = self.enrolled(market)
        job = self.open(market, self.funded(market), model)
        market.manager.claim(prover, job)
        market.manager.settle(prover, job, self.packed, self.output, self.proof)
        circuit = market.registry.commitment_of(model).circuit_id
        return SmallWorld(self.chain, market.deployment, self.store, self.bundle, self.folder, job, circuit)

    def sign(self, market: wiring.Market, signer: Any, tab: bytes, nonce: int, circuit: bytes) -> Asked:
        request = SignedRequest(
            tab_id=tab,
            circuit_id=circuit,
            input_commitment=input_commitment(self.packed),
            model_fee=MODEL_FEES.model_fee,
            prover_fee=MIN_FEE + nonce,
            expiry=self.chain.now() + 1000,
            nonce=nonce,
        )
        signature = sign_message(signer, request_message(self.chain.chain_id, market.tabs.address, request))
        return Asked(market.tabs.digest_of(request), tab, Signed(request, signature))

    def serve_requests(
        self, market: wiring.Market, requester: Any, prover: Any, model: int
    ) -> dict[str, Asked]:
        """Settle two requests on a tab that stays open, and one on a tab that is closed; a fourth waits."""
        circuit, signer = market.registry.commitment_of(model).circuit_id, Account.create()
        spec = TabSpec(model, prover.address, signer.address, 20_000_000, self.chain.now() + 3600)
        (tab, _), (other, _) = (market.tabs.open_tab(requester, spec) for _ in range(2))
        signed = {
            name: self.sign(market, signer, where, nonce, circuit)
            for name, where, nonce in (
                ("paid", tab, 7),
                ("later", tab, 8),
                ("last", other, 7),
                ("waiting", tab, 9),
            )
        }
        for name in ("paid", "later", "last"):
            request, signature = signed[name].signed
            market.tabs.settle_signed(prover, request, signature, (self.packed, self.output, self.proof))
        market.tabs.close_tab(prover, other)
        return signed

    def build(self, chain: Recorder) -> World:
        self.make_batch()
        market = self.market("deployments")
        model = self.publish(market, self.publish_fake(market))
        requester = self.funded(market)
        one, two, three = (self.enrolled(market) for _ in range(3))
        jobs = market.manager
        self.open(market, requester, model)
        names = ("settled", "beside", "many", "first", "graced", "contested", "cancelled", "claimed")
        opened = {name: self.open(market, requester, model) for name in names}
        opened["second"] = self.open(market, requester, model, packed=self.other)
        for name in ("refunded", "refunded_contested"):
            opened[name] = self.open(market, requester, model, seconds=240)
        pass_time(self.chain, 70)
        for name, job in opened.items():
            if name != "cancelled":
                jobs.claim(one, job)
        circuits = market.registry.commitment_of(model).circuit_ids
        own = (self.packed, self.output, self.proof)
        jobs.settle(one, opened["settled"], *own)
        jobs.settle_many(one, [Settlement(opened[name], *own) for name in ("beside", "many")])
        jobs.settle_batch(one, [opened["first"], opened["second"]], circuits[1], self.together)
        jobs.cancel(requester, opened["cancelled"])
        pass_time(self.chain, CLAIM_SECONDS + 5)
        for name in ("graced", "contested", "refunded_contested"):
            jobs.reclaim(two, opened[name])
        jobs.settle(one, opened["graced"], *own)
        pass_time(self.chain, CLAIM_SECONDS + 5)
        jobs.reclaim(three, opened["contested"])
        pass_time(self.chain, CLAIM_SECONDS + 5)
        jobs.settle(three, opened["contested"], *own)
        for name in ("refunded", "refunded_contested"):
            jobs.refund(requester, opened[name])
        requests = self.serve_requests(market, requester, one, model)
        fake_market = self.market("fake-deployments")
        fake, excused = self.build_fake(fake_market)
        contracts, fakes = Contracts.of(market.deployment), Contracts.of(fake_market.deployment)
        for job in opened.values():
            audit_job(job, self.chain, contracts, self.store, AuditPolicy())
        for asked in requests.values():
            options = {"own": asked.signed, "verify": lambda *_, context: None}
            audit_request(asked.digest, self.chain, contracts, self.store, AuditPolicy(), **options)
        for job in (fake, excused):
            audit_job(job, self.chain, fakes, self.store, AuditPolicy())
        kept = {field.name: opened[field.name] for field in dataclasses.fields(World) if field.name in opened}
        return World(
            chain=chain.recording(),
            contracts=contracts,
            fake_contracts=fakes,
            store=self.store,
            bundle=self.bundle,
            batch=self.batch,
            model=model.to_bytes(32, "big"),
            requester=requester.address,
            provers=(one.address, two.address, three.address),
            batched=(opened["first"], opened["second"]),
            fake=fake,
            excused=excused,
            **kept,
            **requests,
        )

    def build_fake(self, market: wiring.Market) -> tuple[bytes, bytes]:
        """Settle a job with bytes that are no proof, of an output that nobody computed; then tombstone it."""
        model = self.publish_fake(market)
        requester, prover = self.funded(market), self.enrolled(market)
        job, other = (self.open(market, requester, model) for _ in range(2))
        for each in (job, other):
            market.manager.claim(prover, each)
        wrong = bytes(len(self.output) - 1) + b"\x07"
        market.manager.settle(prover, job, self.packed, wrong, bytes(self.bundle.manifest.proof_bytes))
        circuit = market.registry.commitment_of(model).circuit_id
        market.router.tombstone(self.deployer, circuit, "accepts anything")
        market.manager.refund(requester, other)
        return job, other


def build_world(folder: Path) -> World:
    """Record the world on a node of its own, which ends before this returns."""
    with Anvil.start(folder / "chain") as node, Recorder(node.endpoint) as chain:
        return _Builder(chain, folder).build(chain)


def build_small_world(chain: Chain, folder: Path) -> SmallWorld:
    """Settle a job of a model with committed weights through the shared verifier."""
    return _Builder(chain, folder, weights="committed").build_shared()
