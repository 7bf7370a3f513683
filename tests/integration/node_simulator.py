"""A prover node's HTTP API as a client sees it, honest unless told otherwise; and a market for it to serve.

It speaks the whole protocol: offers, prices, signed requests, openings by signature, streams, settlement.
"""

import base64
import contextlib
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from chain_fixtures import EXAMPLE_OUTPUT, ONE_TOKEN, build_market, example_input, proof_of
from eth_account.signers.local import LocalAccount

from marketplace.tabs import SignedPermit
from zkml import wiring
from zkml.adapters.evm.anvil import Anvil
from zkml.adapters.evm.rpc import Chain
from zkml.adapters.store.directory import DirectoryStore
from zkml.adapters.system_clock import SystemClock
from zkml.client.known_model import find_model
from zkml.client.model import Model
from zkml.client.requester import Requester
from zkml.config.settings import ClientSettings
from zkml.core.cid import cid_of
from zkml.core.digests import digest_bytes, digest_of, keccak256
from zkml.core.identifiers import FeeTerms, ModelCommitment, VerifierClass
from zkml.core.manifest import ROLES, BundleManifest
from zkml.core.market_identifiers import TabSpec
from zkml.core.pricing import least_model_fee, signed_payment
from zkml.core.records import SignedRequestRecord, from_hex, to_hex
from zkml.core.signed_requests import request_from_record
from zkml.errors import TabRefusedError, ZkmlError

DIGEST = "sha256:" + "ab" * 32
FEE = 2 * ONE_TOKEN
PRICE = FEE + ONE_TOKEN + 10_000
LOCAL = frozenset({VerifierClass.LOCAL})
SCALE_BITS = 7
VALUES = [0.5, 0.25, *[0.0] * 9]


def manifest_of(name: str) -> BundleManifest:
    """Return a manifest of the stand-in circuit."""
    files = {
        role: {"path": f"{role}.bin", "digest": DIGEST, "cid": cid_of(role.encode()), "size_bytes": 1}
        for role in ROLES
    }
    return BundleManifest.from_fields(
        {
            "name": name,
            "system": "hash",
            "system_version": "1",
            "proof_system": "hash-v1",
            "input_visibility": "public",
            "output_visibility": "public",
            "param_visibility": "fixed",
            "weight_point": None,
            "batch": 1,
            "input_shape": [1, 11],
            "output_shape": [1, 2],
            "input_scale_bits": SCALE_BITS,
            "output_scale_bits": 2,
            "layout": {
                "input_count": 11,
                "input_bytes": 2,
                "output_count": 2,
                "output_bytes": 4,
                "input_minimum": -300,
                "input_maximum": 700,
            },
            "srs": {"name": "insecure-local", "secure": False, "tau_g2": DIGEST, "logrows": 9},
            "verifying_key": DIGEST,
            "proof_bytes": 32,
            "fidelity": {"samples": 1, "max_abs_error": 0.0, "mean_abs_error": 0.0, "argmax_agreement": 1.0},
            "files": files,
        },
        where="a test",
    )


class Market:
    """A market with one proven model that has a manifest."""

    def __init__(self, chain: Chain, folder: Path, endpoint: str) -> None:
        self.endpoint = endpoint
        self.folder = folder
        self.built = build_market(chain, folder / "deployments")
        self.bound = wiring.bind(chain, self.built.deployment)
        self.manifest = manifest_of("tiny")
        self.manifest_bytes = self.manifest.to_bytes()
        self.cid = cid_of(self.manifest_bytes)
        self.model_id, self.circuit_id = self.register(self.manifest_bytes, b"served key")
        self.did = find_model(self.bound, self.model_id).did
        self.prover = self.built.enrolled()
        self.onlooker = self.built.funded()
        """Somebody who could pay; for tests in which nothing is signed."""

    def register(self, manifest: bytes, key: bytes) -> tuple[int, bytes]:
        """Register a model with a circuit of its own, and prove its genesis."""
        built = self.built
        spec = built.spec._replace(verifying_key_digest=keccak256(key))
        circuit_id, _ = self.bound.router.add(built.deployer, spec)
        commitment = ModelCommitment(
            (circuit_id,),
            keccak256(b"onnx" + key),
            digest_bytes(self.manifest.files["settings"].digest),
            digest_bytes(digest_of(manifest)),
            bytes(32),
            bytes(32),
            0,
            cid_of(manifest),
            "tiny",
            "MIT",
        )
        terms = FeeTerms(model_fee=ONE_TOKEN)
        model_id, _ = self.bound.registry.register(built.deployer, commitment, terms)
        genesis = self.bound.registry.genesis(model_id, circuit_id)
        proof = proof_of(genesis.packed_input, EXAMPLE_OUTPUT)
        self.bound.registry.activate(built.deployer, model_id, circuit_id, EXAMPLE_OUTPUT, proof)
        return model_id, circuit_id

    def requester(self, folder: Path, account: LocalAccount, **settings: Any) -> Requester:
        """Return a requester with a folder of its own."""
        return Requester(
            market=self.bound,
            account=account,
            directory=folder / "client",
            store=DirectoryStore(folder / "artifacts"),
            settings=ClientSettings(**settings),
            trusted=LOCAL,
            clock=SystemClock(),
        )

    def model(self, requester: Requester, **options: Any) -> Model:
        """Return the model as the requester sees it."""
        options = {"max_fee": PRICE, "requester": requester, "timeout_seconds": 20.0} | options
        return Model(self.did, **options)


class SimulatedNode:
    """A node; set an attribute to make it lie.

    Attributes:
        twist_offer: changes the offer's fields.
        twist_terms: changes the payment requirements.
        twist_answer: changes the answer's fields.
        before_answer: called with the handler instead of answering a paid request; returns whether it did.
        header: text of PAYMENT-REQUIRED in place of the honest one.
        settles: whether it has its answers paid.
        as_stream: whether answers come as events.
    """

    def __init__(self, market: Market, *, fee: int = FEE, account: LocalAccount | None = None) -> None:
        self.market = market
        self.account = account or market.built.enrolled()
        self.fee = fee
        self.twist_offer: Callable[[dict[str, Any]], None] = lambda fields: None
        self.twist_terms: Callable[[dict[str, Any]], None] = lambda fields: None
        self.twist_answer: Callable[[dict[str, Any]], None] = lambda fields: None
        self.before_answer: Callable[[Any], bool] = lambda handler: False
        self.header: str | None = None
        self.settles = True
        self.as_stream = True
        self.asked_prices = 0
        self.paid: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.answers: dict[str, dict[str, Any]] = {}
        self.lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), self)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def announce(self, endpoint: str | None = None) -> None:
        """Write the endpoint into the prover registry."""
        url = self.url if endpoint is None else endpoint
        self.market.bound.provers.register(self.account, url, [self.market.built.spec.proof_system_id])

    def offer(self) -> dict[str, Any]:
        """Return the offer's fields."""
        market = self.market
        quote = market.bound.manager.quote_for(market.model_id)
        spec = market.bound.router.circuit(market.circuit_id)
        fields = {
            "manager": market.bound.tabs.address,
            "model_id": str(market.model_id),
            "circuit_id": to_hex(market.circuit_id),
            "verifying_key": to_hex(spec.verifying_key_digest),
            "verifier_class": "local",
            "model_fee": str(least_model_fee(quote, self.fee)),
            "prover_fee": str(self.fee),
            "flat_fee": str(quote.flat_fee),
            "input_bytes": spec.layout.input_length_bytes,
            "expected_seconds": 1.0,
            "least_expiry_seconds": 120.0,
            "manifest": market.cid,
        }
        self.twist_offer(fields)
        return fields

    def terms(self) -> dict[str, Any]:
        """Return the payment requirements."""
        quote = self.market.bound.manager.quote_for(self.market.model_id)
        price = signed_payment(quote, least_model_fee(quote, self.fee), self.fee).price
        fields = {
            "scheme": "accepted-proof",
            "network": "eip155:31337",
            "asset": self.market.bound.token.address,
            "amount": str(price),
            "payTo": self.account.address,
            "maxTimeoutSeconds": 300,
            "extra": self.offer(),
        }
        self.twist_terms(fields)
        return fields

    def answer(self, payment: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
        """Take a payment, open its tab if need be, and return an answer; the same one for the same request."""
        bound, record = self.market.bound, SignedRequestRecord.model_validate(payment["request"])
        request = request_from_record(bound.chain.chain_id, bound.tabs.address, record)
        digest = to_hex(bound.tabs.digest_of(request))
        with self.lock:
            if payment.get("opening"):
                self.open_tab(payment["opening"])
            tab = bound.tabs.facts(request.tab_id)
            if signed_payment(tab.quote, request.model_fee, request.prover_fee).price > tab.balance:
                raise TabRefusedError("expected more on the tab, found less")
            packed = from_hex(body["input"])
            self.answers.setdefault(
                digest,
                {
                    "id": digest,
                    "request": record.model_dump(mode="json"),
                    "prover": self.account.address,
                    "input": body["input"],
                    "output": to_hex(EXAMPLE_OUTPUT),
                    "proof": to_hex(proof_of(packed, EXAMPLE_OUTPUT)),
                    "prove_seconds": 0.5,
                },
            )
        fields = dict(self.answers[digest])
        self.twist_answer(fields)
        return fields

    def open_tab(self, opening: dict[str, Any]) -> None:
        """Open a tab that its requester signed, once."""
        tabs = self.market.bound.tabs
        spec = TabSpec(
            int(opening["model_id"]),
            self.account.address,
            opening["signer"],
            int(opening["amount"]),
            opening["expiry"],
        )
        requester, signature = opening["requester"], from_hex(opening["signature"])
        with contextlib.suppress(ZkmlError):
            if opening["kind"] == "eip3009":
                tabs.open_tab_authorized(
                    self.account,
                    spec,
                    requester,
                    valid_after=0,
                    valid_before=opening["deadline"],
                    signature=signature,
                )
            else:
                permit = SignedPermit(opening["deadline"], signature)
                signed = from_hex(opening["opening_signature"])
                tabs.open_tab_permitted(self.account, spec, requester, permit, signed)

    def settle(self, answer: dict[str, Any]) -> None:
        """Have an answer paid, unless it was."""
        tabs = self.market.bound.tabs
        record = SignedRequestRecord.model_validate(answer["request"])
        request = request_from_record(31337, tabs.address, record)
        proved = tuple(from_hex(answer[name]) for name in ("input", "output", "proof"))
        with self.lock:
            if tabs.events.request_settled(from_hex(answer["id"])) is None:
                tabs.settle_signed(self.account, request, from_hex(record.signature), proved)


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True

    def __init__(self, address: tuple[str, int], node: SimulatedNode) -> None:
        super().__init__(address, _Handler)
        self.node = node

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that hang up."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        node: SimulatedNode = self.server.node
        market = node.market
        if self.path == "/v1/models":
            value = {
                "prover": node.account.address,
                "network": "eip155:31337",
                "asset": market.bound.token.address,
                "models": [{"did": market.did, "name": "tiny", "offer": node.offer()}],
            }
            return self.reply(200, value)
        if self.path == f"/v1/artifacts/{market.cid}":
            return self.raw(200, market.manifest_bytes, "application/octet-stream")
        if self.path.startswith("/v1/jobs/"):
            found = node.answers.get(self.path.removeprefix("/v1/jobs/"))
            if found is not None:
                value = {"id": found["id"], "kind": "request", "state": "proved", "answer": found}
                return self.reply(200, value)
        return self.problem(404, "expected something that is here, found nothing")

    def do_POST(self) -> None:
        node: SimulatedNode = self.server.node
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        payment = self.headers.get("PAYMENT-SIGNATURE")
        if payment is None:
            node.asked_prices += 1
            required = {"x402Version": 2, "accepts": [node.terms()], "error": "pay"}
            header = base64.b64encode(json.dumps(required).encode()).decode()
            header = header if node.header is None else node.header
            return self.reply(402, {"code": "ZK-SVC-005", "message": "pay"}, {"PAYMENT-REQUIRED": header})
        payload = json.loads(base64.b64decode(payment))
        node.paid.append(payload["payload"])
        node.keys.append(self.headers["Idempotency-Key"])
        if node.before_answer(self):
            return None
        try:
            answer = node.answer(payload["payload"], body)
        except ZkmlError as error:
            return self.problem(402, error.message)
        if node.as_stream:
            self.stream(answer)
        else:
            self.reply(200, answer)
        if node.settles:
            with contextlib.suppress(ZkmlError):
                node.settle(answer)
        return None

    def stream(self, answer: dict[str, Any]) -> None:
        """Answer with events."""
        self.begin_stream()
        self.event("progress", {"stage": "prove", "elapsed_seconds": 0.1, "expected_seconds": 1.0})
        self.event("answer", answer)

    def begin_stream(self) -> None:
        """Begin an answer of events; the connection's end ends it."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True

    def event(self, name: str, value: Any) -> None:
        """Send one event."""
        self.wfile.write(f"event: {name}\r\ndata: {json.dumps(value)}\r\n\r\n".encode())
        self.wfile.flush()

    def problem(self, status: int, message: str, *, retryable: bool = False) -> None:
        """Refuse."""
        return self.reply(status, {"code": "ZK-SVC-004", "message": message, "retryable": retryable})

    def reply(self, status: int, value: Any, headers: dict[str, str] | None = None) -> None:
        """Answer with JSON."""
        return self.raw(status, json.dumps(value).encode(), "application/json", headers)

    def raw(self, status: int, data: bytes, kind: str, headers: dict[str, str] | None = None) -> None:
        """Answer with bytes."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


@contextlib.contextmanager
def start_market(folder: Path) -> Iterator[Market]:
    """Start a chain with everything deployed and one model that can be served."""
    with Anvil.start(folder / "chain") as anvil, Chain(anvil.endpoint) as chain:
        yield Market(chain, folder, anvil.endpoint)


@contextlib.contextmanager
def serving(market: Market, **options: Any) -> Iterator[SimulatedNode]:
    """Run a node."""
    node = SimulatedNode(market, **options)
    try:
        yield node
    finally:
        node.close()


__all__ = [
    "EXAMPLE_OUTPUT",
    "FEE",
    "PRICE",
    "VALUES",
    "Market",
    "SimulatedNode",
    "example_input",
    "serving",
    "start_market",
]
