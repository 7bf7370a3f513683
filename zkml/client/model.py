"""A registered model as a Python object: call it, and get a proved output.

model = Model("did:ethr:0x7a69:0x...", max_fee="1.5")
prediction = model.predict(array)
prediction.output, prediction.proof, prediction.receipt
"""

import asyncio
import concurrent.futures
import os
import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from eth_account.signers.local import LocalAccount
from numpy.typing import ArrayLike, NDArray

from zkml.client.answers import Proved, verify_answer
from zkml.client.calls import Approve, Priced, approve_all, ask_price
from zkml.client.discovery import ServingNode, find_nodes
from zkml.client.inference import WAIT_SECONDS, Inference, find_manifest, infer
from zkml.client.inputs import pack_input
from zkml.client.known_model import KnownModel, find_model
from zkml.client.receipts import Receipt
from zkml.client.requester import Requester, open_requester
from zkml.client.tab_choice import find_tab
from zkml.config.home import Home
from zkml.config.load import load, read_toml
from zkml.config.settings import Settings
from zkml.core.fixed_point import dequantize
from zkml.core.manifest import BundleManifest
from zkml.core.progress import Progress, silent
from zkml.core.records import ProofFile, SignedRequestRecord, from_hex, to_hex
from zkml.errors import ConfigError

MAX_AT_ONCE = 16
_CONFIG_FILE = "zkml.toml"
_NUMBER = re.compile(r"0x[0-9a-fA-F]{1,64}|[0-9]{1,78}")


@dataclass(frozen=True, slots=True)
class Prediction:
    """A proved output. Its proof was verified in this process before the object was made.

    Attributes:
        output: real numbers, of the model's output shape.
        integers: the same as the circuit's integers, which are what the proof is about.
        proof: input, output and proof, as a portable file.
        request: what was signed.
        receipt: what was paid, and by which transaction.
        is_resumed: whether an earlier call for the same input was taken up, and not paid again.
    """

    output: NDArray[np.float64]
    integers: NDArray[np.int64]
    proof: ProofFile
    request: SignedRequestRecord
    receipt: Receipt
    is_resumed: bool
    _requester: Requester

    def verify(self) -> None:
        """Verify the proof again, with the verifier that the chain has now.

        Raises:
            TombstonedError: the circuit was found unsafe since.
            VerificationError: the proof does not hold.
            RpcError: see `Chain.request`.
        """
        found = self.proof
        proved = Proved(from_hex(found.input), from_hex(found.output), from_hex(found.proof))
        verify_answer(self._requester.market, self.request, proved, accepted_classes=self._requester.trusted)


class Model:
    """A model of the chain that prover nodes serve. Usable from several threads.

    Attributes:
        did: its DID.
    """

    def __init__(
        self,
        subject: str,
        *,
        max_fee: str | int,
        node: str = "",
        settings: Settings | None = None,
        account: LocalAccount | None = None,
        wait_seconds: float = WAIT_SECONDS,
        timeout_seconds: float = 0.0,
        requester: Requester | None = None,
    ) -> None:
        """Look the model up on the chain; nothing is asked of a node yet.

        Args:
            subject: DID of the model, or its id as 0x and hexadecimal digits.
            max_fee: the most that one answer may cost in all: whole tokens as text, e.g. "1.5", or units of
                the token as an integer.
            node: base URL of the node to ask; client.node, or those of the prover registry, when empty.
            settings: of this run; those of zkml.toml and the environment when None.
            account: who pays; the requester's key of the home or ZKML_PRIVATE_KEY when None.
            wait_seconds: how long a settlement is waited for, once the answer is verified.
            timeout_seconds: the longest wait for an answer; until the signed request expires when 0.
            requester: all of that at once, from `open_requester`.

        Raises:
            ConfigError: settings, key or DID are not usable.
            NotRegisteredError: no such model.
            ChainError: see `wiring.open_market`.
        """
        if requester is None:
            settings = settings or default_settings()
            home = Home(settings.home.expanduser().absolute())
            requester = open_requester(settings, home, os.environ, account=account)
        self._requester = requester
        token = requester.market.token
        self._max_fee = token.parse(max_fee) if isinstance(max_fee, str) else max_fee
        self._node = node or requester.settings.node
        self._wait_seconds = wait_seconds
        self._timeout_seconds = timeout_seconds
        self._known = find_model(requester.market, _subject(subject))
        self._manifest: BundleManifest | None = None
        self._lock = threading.Lock()
        self.did = self._known.did

    @property
    def known(self) -> KnownModel:
        """What the chain says of the model."""
        return self._known

    @property
    def requester(self) -> Requester:
        """Who asks and pays."""
        return self._requester

    @property
    def manifest(self) -> BundleManifest:
        """The model's manifest: from the store, or from a node and held against the chain."""
        return self._look_up()[0]

    def predict(
        self,
        values: ArrayLike,
        *,
        max_fee: int | None = None,
        fresh: bool = False,
        left: int | None = None,
        approve: Approve = approve_all,
        progress: Progress = silent,
    ) -> Prediction:
        """Have one input proved; return its output after verifying the proof in this process.

        Args:
            values: of the model's input shape, or flat. Integers are taken as the circuit's, unscaled.
            max_fee: the most that this answer may cost, in units of the token; the model's own when None.
            fresh: sign a new request even if an earlier one for this input has no answer yet.
            left: the most that a new request may cost, where that is less; see `inference.infer`.
            approve: called with the signed request before it is sent; what it raises ends the call.
            progress: told what goes on.

        Raises:
            LayoutError, DomainError: the input does not fit the model.
            PaymentRequiredError: it costs more than `max_fee`.
            VerificationError: the answer is not proved.
            ServiceError: no answer came; call again, and the same request is asked for.
            ZkmlError: see `inference.infer`.
        """
        manifest, nodes = self._look_up()
        found = infer(
            self._requester,
            self._known,
            manifest,
            pack_input(values, manifest),
            max_fee=self._max_fee if max_fee is None else max_fee,
            node=self._node,
            nodes=nodes,
            fresh=fresh,
            left=left,
            approve=approve,
            timeout_seconds=self._timeout_seconds,
            wait_seconds=self._wait_seconds,
            progress=progress,
        )
        return prediction_of(self._requester, manifest, found)

    def plan(self, values: ArrayLike) -> tuple[Priced, str, int]:
        """Ask for the price of an input and sign nothing.

        Returns:
            What the best node asks, held against the chain; the tab that would pay, or an empty text where
            one would be opened; and what would be drawn from it, in units of the token.

        Raises:
            ZkmlError: see `predict`.
        """
        manifest, nodes = self._look_up()
        requester, packed = self._requester, pack_input(values, manifest)
        known = replace(self._known, quote=requester.market.manager.quote_for(self._known.model_id))
        found = nodes or find_nodes(requester, known, max_fee=self._max_fee, node=self._node)
        priced = ask_price(requester, known, manifest, found[0], packed_input=packed, max_fee=self._max_fee)
        tab = find_tab(
            requester,
            model_id=known.model_id,
            prover=priced.offer.prover,
            prover_fee=priced.offer.prover_fee,
            max_fee=self._max_fee,
            until=requester.market.chain.now() + int(priced.offer.expiry_seconds),
        )
        return priced, to_hex(tab.tab.tab_id) if tab else "", tab.price if tab else priced.offer.price

    def predict_many(self, batch: Iterable[ArrayLike], *, at_once: int = 4) -> list[Prediction]:
        """Have several inputs proved, a request each, some at once; the outputs are in the inputs' order.

        Args:
            batch: inputs; see `predict`.
            at_once: how many are under way at the same time, 1 to 16.

        Raises:
            ConfigError: `at_once` is something else.
            ZkmlError: the first that failed; what the others paid for can be had by calling again.
        """
        check_at_once(at_once)
        with concurrent.futures.ThreadPoolExecutor(at_once, thread_name_prefix="predict") as pool:
            return list(pool.map(self.predict, batch))

    def _look_up(self) -> tuple[BundleManifest, list[ServingNode] | None]:
        with self._lock:
            if self._manifest is not None:
                return self._manifest, None
            self._manifest, nodes = find_manifest(
                self._requester, self._known, max_fee=self._max_fee, node=self._node
            )
            return self._manifest, nodes or None


class AsyncModel:
    """`Model` for asyncio: chain, node and verification are waited for in threads, and block no loop."""

    def __init__(self, model: Model) -> None:
        """Wrap a model; see `open` to make both."""
        self.model = model
        self.did = model.did

    @classmethod
    async def open(cls, subject: str, **options: Any) -> "AsyncModel":
        """Look a model up; takes what `Model` takes, and raises as it does."""
        return cls(await asyncio.to_thread(Model, subject, **options))

    async def predict(self, values: ArrayLike, **options: Any) -> Prediction:
        """See `Model.predict`. A cancelled call goes on in its thread; the next one can take it up."""
        return await asyncio.to_thread(self.model.predict, values, **options)

    async def predict_many(self, batch: Iterable[ArrayLike], *, at_once: int = 4) -> list[Prediction]:
        """See `Model.predict_many`."""
        check_at_once(at_once)
        free = asyncio.Semaphore(at_once)

        async def one(values: ArrayLike) -> Prediction:
            async with free:
                return await self.predict(values)

        return await asyncio.gather(*(one(values) for values in batch))


def prediction_of(requester: Requester, manifest: BundleManifest, found: Inference) -> Prediction:
    """Return an inference as arrays of the model's output shape."""
    integers = np.array(found.answer.elements, dtype=np.int64)
    return Prediction(
        output=np.asarray(dequantize(integers, manifest.output_scale_bits)).reshape(manifest.output_shape),
        integers=integers.reshape(manifest.output_shape),
        proof=found.proof,
        request=found.call.request,
        receipt=found.receipt,
        is_resumed=found.is_resumed,
        _requester=requester,
    )


def default_settings() -> Settings:
    """Return the settings of zkml.toml in this directory, or of ZKML_CONFIG, and the environment.

    Raises:
        ConfigError: every problem at once.
    """
    path = Path(os.environ.get("ZKML_CONFIG", _CONFIG_FILE))
    toml = read_toml(path) if "ZKML_CONFIG" in os.environ or path.exists() else None
    return load(environment=os.environ, toml=toml, toml_path=str(path)).settings


def check_at_once(at_once: int) -> None:
    """Check how many calls may be under way at the same time.

    Raises:
        ConfigError: not 1 to 16.
    """
    if not 1 <= at_once <= MAX_AT_ONCE:
        raise ConfigError(f"expected 1 to {MAX_AT_ONCE} calls at once, found {at_once}")


def _subject(text: str) -> str | int:
    if text.startswith("did:"):
        return text
    is_number = _NUMBER.fullmatch(text) is not None
    number = int(text, 16 if text.startswith("0x") else 10) if is_number else -1
    if not 0 <= number < 1 << 256:
        raise ConfigError(
            f"expected a model's DID or id, found {text!r:.80}", hint="list them: zkml registry list"
        )
    return number
