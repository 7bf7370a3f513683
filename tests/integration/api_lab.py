"""A node's API on a real chain: a market, a circuit that can be held, a node that can be killed, and a client."""

import atexit
import contextlib
import copy
import functools
import json
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import httpx
from chain_fixtures import (
    DOMAIN,
    EXAMPLE_OUTPUT,
    LAYOUT,
    ONE_TOKEN,
    build_market,
    compile_halo2_stand_in,
    example_input,
    halo2_proof_of,
)
from eth_account.signers.local import LocalAccount
from x402.http.utils import (
    decode_payment_required_header,
    decode_payment_response_header,
    encode_payment_signature_header,
)
from x402.schemas import PaymentPayload, PaymentRequired, PaymentRequirements, SettleResponse

from prover_nodes.admission import Admission
from prover_nodes.api.server import ApiServer
from prover_nodes.build import NodeParts
from prover_nodes.chain_port import ChainMarket, ChainTransactions
from prover_nodes.direct.build import direct_of
from prover_nodes.direct.service import DirectService
from prover_nodes.halting import Halt, HaltingClock, halting_progress
from prover_nodes.journal import open_journal
from prover_nodes.observer import SilentObserver
from prover_nodes.outbox import Outbox
from prover_nodes.policy import Policy
from prover_nodes.slots import ProvingSlots
from prover_nodes.workers.opening import OpenCircuits
from registry.dids import DidResolver
from verifier_contracts.deploy_verifier import VerifierTerms, deploy_verifier
from verifier_contracts.expected_verifier import ExpectedGenerated
from zkml.adapters.evm.anvil import Anvil
from zkml.adapters.evm.rpc import Chain
from zkml.adapters.keys.typed_signatures import sign_message
from zkml.adapters.store.directory import DirectoryStore
from zkml.adapters.system_clock import SystemClock
from zkml.config.settings import ApiSettings, ChainSettings, ProverSettings
from zkml.core.api_messages import PaymentBody, TabOpening
from zkml.core.digests import keccak256
from zkml.core.eip712 import Eip712Domain
from zkml.core.identifiers import FeeTerms, VerifierClass, proof_system_id
from zkml.core.market_identifiers import TabSpec
from zkml.core.pricing import least_model_fee
from zkml.core.progress import ProgressEvent, silent
from zkml.core.records import SignedRequestRecord, to_hex
from zkml.core.signed_requests import SignedRequest, opening_message, record_of_request, request_message
from zkml.core.tensors import input_commitment
from zkml.core.token_authorizations import permit_message, receive_authorization
from zkml.errors import ProofRejectedError
from zkml.wiring import bind

SYSTEM_ID = proof_system_id("hash-v1")
GAS_LIMIT = 200_000
PATIENCE_SECONDS = 20.0
PROVER_FEE = ONE_TOKEN
API = ApiSettings(prover_fee=PROVER_FEE, requests_per_minute=10_000, settle_margin_seconds=20.0)
INPUT = example_input()


def until(condition: Any, what: str = "the condition") -> Any:
    """Return the first true value of a condition."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{what} did not come true"
        time.sleep(0.01)
    return value


class HashCircuit:
    """A circuit whose proofs are hashes; proving can be held, and made to fail."""

    name = "hash"
    batch = 1
    proof_bytes = 32
    layout = LAYOUT
    domain = DOMAIN
    proof_system_id = SYSTEM_ID

    def __init__(self, verifying_key_digest: bytes) -> None:
        self.verifying_key_digest = verifying_key_digest
        self.proved: list[bytes] = []
        self.contexts: list[bytes] = []
        self.may_prove = threading.Event()
        self.may_prove.set()
        self.witness_error: Exception | None = None
        self.prove_seconds = 1.0

    def shared_key_digest(self):
        return None

    def expected_verifier(self, key_digest):
        code = compile_halo2_stand_in().runtime_code
        return ExpectedGenerated(LAYOUT, bytes(32), self.verifying_key_digest, code)

    def least_gas_limit(self, key_digest, *, progress):
        return GAS_LIMIT // 2

    def expected_prove_seconds(self):
        return self.prove_seconds

    def expected_witness_seconds(self):
        return 0.0

    def expected_peak_bytes(self):
        return 1 << 20

    def witness(self, packed_input, *, progress):
        if self.witness_error is not None:
            raise self.witness_error
        return EXAMPLE_OUTPUT, 0.0

    def prove(self, packed_input, packed_output, *, context, progress):
        self.proved.append(packed_input)
        self.contexts.append(context)
        elapsed = 0.0
        while not self.may_prove.wait(0.05):
            elapsed += 0.05
            progress(ProgressEvent("prove", elapsed, 1.0))
        progress(ProgressEvent("prove", elapsed, 1.0, finished=True))
        return halo2_proof_of(packed_input, packed_output), elapsed

    def verify(self, packed_input, packed_output, proof, *, context):
        self.contexts.append(context)
        if proof != halo2_proof_of(packed_input, packed_output):
            raise ProofRejectedError("expected the hash, found another")


class World:
    """A chain with one proven model behind the shipped adapter, and its accounts."""

    def __init__(self, chain: Chain, folder: Path) -> None:
        base = build_market(chain, folder / "deployments")
        self.chain = chain
        self.market = bind(chain, base.deployment)
        self._dids = DidResolver(chain, base.deployment.addresses, from_block=base.deployment.block)
        self._use(base, b"the node's key")

    def closed(self) -> "World":
        """Return the same world with another model, which only provers with access may prove."""
        other = self.another()
        other._use(self.built, b"another key", closed=True)
        return other

    def another(self) -> "World":
        """Return the same world, whose model can be replaced."""
        return copy.copy(self)

    def grant(self, prover: str, *, granted: bool) -> None:
        """Let a prover prove the closed model, or no longer."""
        registry = self.built.registry
        registry.set_access(self.built.deployer, self.built.model_id, prover, granted=granted)

    def _use(self, base: Any, key: bytes, *, closed: bool = False) -> None:
        """Deploy a verifier of a key, and a proven model of it."""
        terms = VerifierTerms(LAYOUT, DOMAIN, keccak256(key), SYSTEM_ID, GAS_LIMIT, VerifierClass.LOCAL)
        pinned = deploy_verifier(
            self.chain,
            base.deployer,
            base.router,
            compile_halo2_stand_in(),
            terms,
            from_block=base.deployment.block,
        )
        secret = keccak256(b"of the artifact") if closed else bytes(32)
        commitment = base.commitment._replace(circuit_ids=(pinned.circuit_id,), key_commitment=secret)
        fees = FeeTerms(model_fee=ONE_TOKEN)
        model_id, _ = base.registry.register(base.deployer, commitment, fees)
        genesis = base.registry.genesis(model_id)
        base.registry.activate(
            base.deployer,
            model_id,
            pinned.circuit_id,
            EXAMPLE_OUTPUT,
            halo2_proof_of(genesis.packed_input, EXAMPLE_OUTPUT),
        )
        self.built = replace(
            base, spec=pinned.spec, circuit_id=pinned.circuit_id, commitment=commitment, model_id=model_id
        )
        self.did = self._dids.did_of_model(model_id)

    def quote(self):
        return self.market.manager.quote_for(self.built.model_id)

    @property
    def price(self) -> int:
        quote = self.quote()
        return PROVER_FEE + least_model_fee(quote, PROVER_FEE) + quote.flat_fee


class NodeUnderTest:
    """The direct service and its API in this process; leaving it stops both."""

    def __init__(
        self,
        world: World,
        account: LocalAccount,
        journal: Path | str,
        *,
        circuits: Any = None,
        settings: ApiSettings = API,
        transactions: Any = None,
        confirmations: int = 0,
        **changes: Any,
    ) -> None:
        self.world, self.account = world, account
        self.circuit = HashCircuit(world.built.spec.verifying_key_digest)
        halt = Halt()
        clock = HaltingClock(SystemClock(), halt)
        bound = ChainMarket(bind(world.chain, world.built.deployment), account.address)
        self.journal = open_journal(journal, bound.scope)
        transactions = transactions or ChainTransactions(world.chain, account)
        slots = ProvingSlots(1, 1 << 30, clock, halt=halt)
        self.parts = NodeParts(
            account=account,
            chain_market=world.market,
            market=bound,
            transactions=transactions,
            outbox=Outbox(transactions, self.journal, clock, 20.0, confirmations),
            journal=self.journal,
            circuits=circuits or [self.circuit],
            opened=OpenCircuits(()),
            slots=slots,
            admission=Admission(slots, 1 << 30),
            policy=Policy(frozenset({VerifierClass.LOCAL}), 0, 5.0, confirmations),
            observer=SilentObserver(),
            store=DirectoryStore(Path(str(journal)).parent / "store"),
            progress=halting_progress(silent, halt),
            clock=clock,
            halt=halt,
            prover=ProverSettings(),
            chain=ChainSettings(),
        )
        self.service: DirectService = direct_of(self.parts, settings)
        self.server = ApiServer(self.service, replace(settings, port=0), **changes)

    def __enter__(self) -> Self:
        self.service.start()
        self.server.start()
        until(lambda: self.service.parts.catalogue.is_loaded, "the catalogue")
        return self

    def __exit__(self, *_: object) -> None:
        self.server.stop()
        self.service.stop()
        self.journal.close()

    @property
    def url(self) -> str:
        return self.server.url


@dataclass
class Client:
    """Signs requests on a tab and asks a node; believes it everything."""

    world: World
    account: LocalAccount
    prover: str
    url: str
    nonces: Iterator[int] = field(default_factory=lambda: iter(range(1_000)))
    tab_id: bytes = b""

    def open_tab(self, amount: int = 100 * ONE_TOKEN, *, seconds: int = 3600, **changes: Any) -> bytes:
        now = self.world.chain.now()
        spec = TabSpec(self.world.built.model_id, self.prover, self.account.address, amount, now + seconds)
        self.tab_id, _ = self.world.market.tabs.open_tab(self.account, spec._replace(**changes))
        return self.tab_id

    def sign(self, packed_input: bytes = INPUT, *, signer: Any = None, **changes: Any) -> SignedRequestRecord:
        request = SignedRequest(
            tab_id=self.tab_id,
            circuit_id=self.world.built.circuit_id,
            input_commitment=input_commitment(packed_input),
            model_fee=least_model_fee(self.world.quote(), PROVER_FEE),
            prover_fee=PROVER_FEE,
            expiry=self.world.chain.now() + 600,
            nonce=changes.pop("nonce", None) if "nonce" in changes else next(self.nonces),
        )._replace(**changes)
        manager, chain_id = self.world.market.tabs.address, self.world.chain.chain_id
        message = request_message(chain_id, manager, request)
        return record_of_request(chain_id, manager, request, sign_message(signer or self.account, message))

    def opening(self, amount: int, *, kind: str = "eip3009", seconds: int = 3600) -> TabOpening:
        """Sign the opening of a tab that the prover is to open, and use that tab."""
        market, chain = self.world.market, self.world.chain
        expiry, deadline = chain.now() + seconds, chain.now() + 600
        who = self.account.address
        spec = TabSpec(self.world.built.model_id, self.prover, who, amount, expiry)
        self.tab_id = market.tabs.tab_id_of(spec, who, market.tabs.nonces_of(who))
        domain = Eip712Domain("zkML Local USD", "1", chain.chain_id, market.token.address)
        ledger, opened = market.ledger.address, b""
        if kind == "eip3009":
            message = receive_authorization(
                domain,
                payer=who,
                receiver=ledger,
                amount=amount,
                valid_after=0,
                valid_before=deadline,
                nonce=self.tab_id,
            )
        else:
            nonce = market.token.contract.call("nonces", who)
            message = permit_message(
                domain, owner=who, spender=ledger, amount=amount, nonce=nonce, deadline=deadline
            )
            nonce = market.tabs.nonces_of(who)
            opened = sign_message(
                self.account, opening_message(chain.chain_id, market.tabs.address, spec, nonce)
            )
        return TabOpening(
            kind=kind,
            requester=who,
            model_id=str(spec.model_id),
            signer=who,
            amount=str(amount),
            expiry=expiry,
            signature=to_hex(sign_message(self.account, message)),
            opening_signature=to_hex(opened),
            deadline=deadline,
        )

    def requirements(self, **changes: Any) -> PaymentRequirements:
        plain = PaymentRequirements(
            scheme="accepted-proof",
            network=f"eip155:{self.world.chain.chain_id}",
            asset=self.world.market.token.address,
            amount=str(self.world.price),
            pay_to=self.prover,
            max_timeout_seconds=600,
            extra={},
        )
        return plain.model_copy(update=changes)

    def payment(self, record: SignedRequestRecord, opening: TabOpening | None = None, **changes: Any) -> str:
        body = PaymentBody(request=record, opening=opening).model_dump(mode="json", exclude_none=True)
        return encode_payment_signature_header(
            PaymentPayload(x402_version=2, payload=body, accepted=self.requirements(**changes))
        )

    def ask(
        self,
        record: SignedRequestRecord | None = None,
        packed_input: bytes = INPUT,
        *,
        opening: TabOpening | None = None,
        payment: str | None = None,
        did: str | None = None,
        **headers: str,
    ) -> httpx.Response:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if record is not None or payment is not None:
            given["PAYMENT-SIGNATURE"] = payment or self.payment(record, opening)
        return httpx.post(
            f"{self.url}/v1/models/{did or self.world.did}/infer",
            json={"input": to_hex(packed_input)},
            headers=given,
            timeout=PATIENCE_SECONDS,
        )

    def job(self, name: str) -> dict[str, Any]:
        return httpx.get(f"{self.url}/v1/jobs/{name}", timeout=PATIENCE_SECONDS).json()

    def until_state(self, name: str, *states: str) -> dict[str, Any]:
        return until(lambda: found if (found := self.job(name))["state"] in states else None, f"{states}")

    def events(self, record: SignedRequestRecord) -> list[tuple[str, dict[str, Any]]]:
        found = []
        with httpx.stream(
            "POST",
            f"{self.url}/v1/models/{self.world.did}/infer",
            json={"input": to_hex(INPUT)},
            headers={"PAYMENT-SIGNATURE": self.payment(record), "Accept": "text/event-stream"},
            timeout=PATIENCE_SECONDS,
        ) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            name = ""
            for line in answer.iter_lines():
                if line.startswith("event: "):
                    name = line.removeprefix("event: ")
                elif line.startswith("data: "):
                    found.append((name, json.loads(line.removeprefix("data: "))))
        return found


def required_of(answer: httpx.Response) -> PaymentRequired:
    """Return what an answer asks to be paid."""
    return decode_payment_required_header(answer.headers["PAYMENT-REQUIRED"])


def response_of(answer: httpx.Response) -> SettleResponse:
    """Return what an answer says of its payment."""
    return decode_payment_response_header(answer.headers["PAYMENT-RESPONSE"])


@contextlib.contextmanager
def started(world: World, account: LocalAccount, folder: Path, **changes: Any) -> Iterator[NodeUnderTest]:
    """Run a node."""
    with NodeUnderTest(world, account, folder / "journal.sqlite", **changes) as node:
        yield node


@functools.cache
def shared_world() -> World:
    """Start one chain with everything deployed, for all tests of a run."""
    open_things = contextlib.ExitStack()
    atexit.register(open_things.close)
    folder = Path(open_things.enter_context(tempfile.TemporaryDirectory(prefix="zkml-test-api-")))
    anvil = open_things.enter_context(Anvil.start(folder / "anvil"))
    return World(open_things.enter_context(Chain(anvil.endpoint)), folder)


def client_of(world: World, node: NodeUnderTest, *, amount: int = 100 * ONE_TOKEN) -> Client:
    """Return a client with tokens and an open tab at a node."""
    client = Client(world, world.built.funded(1_000 * ONE_TOKEN), node.account.address, node.url)
    client.open_tab(amount)
    return client
