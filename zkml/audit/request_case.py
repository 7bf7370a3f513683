"""One signed request under audit: what its steps share, each fact fetched when it is first needed."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from marketplace.answers import tab_facts
from zkml.adapters.evm.abi import Event
from zkml.audit.chain_reader import ChainReader, only_event
from zkml.audit.policy import AuditPolicy
from zkml.audit.proof_case import ProofCase
from zkml.audit.settled_request import SettledRequest, settled_request
from zkml.core.digests import keccak256
from zkml.core.market_identifiers import TabSpec
from zkml.core.ports.store import ArtifactStore
from zkml.core.records import to_hex
from zkml.core.signed_requests import SignedRequest
from zkml.core.tabs import TabFacts
from zkml.errors import EvidenceUnavailableError


class Signed(NamedTuple):
    """What a tab's signer signed, and the signature."""

    request: SignedRequest
    signature: bytes


class RequestCase(ProofCase):
    """A signed request, its tab, its chain, its files, and the auditor's terms.

    Attributes:
        digest: the request's name on chain, 32 bytes.
        own: the request as the auditor has it; None where only the digest is known.
    """

    def __init__(
        self,
        digest: bytes,
        reader: ChainReader,
        store: ArtifactStore,
        policy: AuditPolicy,
        scratch: Path,
        *,
        own: Signed | None = None,
        own_bundle: Path | None = None,
    ) -> None:
        super().__init__(reader, store, policy, scratch, own_bundle=own_bundle)
        self.digest = digest
        self.own = own

    @property
    def model_id(self) -> int:
        """ERC-721 id of the tab's model."""
        return self.facts.model_id

    @property
    def circuit_id(self) -> bytes:
        """The circuit that the request names."""
        return self.signed.request.circuit_id

    @property
    def committed_input(self) -> bytes:
        """What the request's input hashes to."""
        return self.signed.request.input_commitment

    @cached_property
    def settlements(self) -> list[Event]:
        """The events RequestSettled of this digest."""
        return self.reader.events("manager", "RequestSettled", [self.digest])

    @property
    def settled(self) -> Event | None:
        """The first settlement; that it is the only one is step 10."""
        return self.settlements[0] if self.settlements else None

    @property
    def ending(self) -> Event:
        """The same, where there has to be one.

        Raises:
            EvidenceUnavailableError: the endpoint knows of none.
        """
        if self.settled is None:
            raise EvidenceUnavailableError(
                f"expected a settlement of request {to_hex(self.digest)}, found none",
                hint="a typing error, not settled yet, or an endpoint without old logs: its file tells more",
            )
        return self.settled

    @cached_property
    def settlement(self) -> SettledRequest:
        """What the manager was given to settle the request."""
        return settled_request(self.reader, self.digest, self.ending)

    @property
    def proving_circuit(self) -> bytes:
        """The circuit that the request names: nothing else settles it."""
        return self.circuit_id

    @cached_property
    def signed(self) -> Signed:
        """The request and its signature: the auditor's own, else those of the settlement's calldata.

        Raises:
            EvidenceUnavailableError: a contract settled it, and no event shows what was signed.
        """
        if self.own is not None:
            return self.own
        given = self.settlement.given
        if given.request is None:
            raise EvidenceUnavailableError(
                f"expected the request behind {to_hex(self.digest)}, found that a contract settled it",
                hint="give the request's file instead of its digest",
            )
        return Signed(given.request, given.signature)

    @cached_property
    def tab_id(self) -> bytes:
        """The tab that the request is said to draw from."""
        found: bytes = self.ending.arguments["tabId"] if self.own is None else self.own.request.tab_id
        return found

    @cached_property
    def facts(self) -> TabFacts:
        """The tab as the manager stores it now; all zero when there is none."""
        # Read after the settlement's event, so that what is left already lacks its price.
        _ = self.settlements
        (fields,) = self.reader.view("manager", "tab", self.tab_id)
        return tab_facts(self.tab_id, fields, where="in the answer to tab")

    @cached_property
    def opened(self) -> Event:
        """The one event TabOpened."""
        return only_event(self.tab_events("TabOpened"), "TabOpened", f"tab {to_hex(self.tab_id)}")

    @property
    def tab_spec(self) -> TabSpec:
        """What the tab was opened for."""
        return TabSpec(*self.opened.arguments["spec"])

    @cached_property
    def draws(self) -> list[Event]:
        """Everything that was settled from the tab, oldest first."""
        return self.reader.events("manager", "RequestSettled", [None, self.tab_id])

    @cached_property
    def closings(self) -> list[Event]:
        """The ends of the tab: one at most."""
        return self.tab_events("TabClosed")

    def tab_events(self, name: str) -> list[Event]:
        """Return the manager's events of this name about the tab, oldest first."""
        return self.reader.events("manager", name, [self.tab_id])

    def summary(self, seen: Sequence[int]) -> dict[str, str]:
        """Return values for `--json`, of the steps that held and of no other."""
        if 0 not in seen:
            return {}
        facts = self.facts
        found = {
            "tab": to_hex(self.tab_id),
            "requester": facts.requester,
            "prover": facts.prover,
            "signer": facts.signer,
            "model": hex(facts.model_id),
        }
        if 1 in seen:
            request = self.signed.request
            found |= {"circuit": to_hex(request.circuit_id), "nonce": str(request.nonce)}
        if 8 in seen:
            found |= {
                "input": to_hex(self.settlement.own_input),
                "output": to_hex(self.settlement.own_output),
                "proof_digest": to_hex(keccak256(self.settlement.given.proof)),
                "settlement": self.ending_transaction.sent.transaction,
            }
        if 10 in seen:
            payment = facts.payment_for(self.signed.request)
            found |= {
                "price": str(payment.price),
                "prover_fee": str(payment.prover_fee),
                "revenue": str(payment.revenue),
                "platform_amount": str(payment.platform_amount),
            }
        return found
