"""The moves of a tab as plans: simulated, priced, and with their effects; nothing is sent."""

from marketplace.effects import Change, Effects, Flow, Pocket, PocketKind, effects_of
from marketplace.job_effects import payment_flows
from marketplace.plans import Plan
from marketplace.tabs import TabsBinding
from zkml.core.market_identifiers import TabSpec
from zkml.core.records import to_hex
from zkml.core.signed_requests import SignedRequest
from zkml.core.tabs import TabFacts, check_close, check_request


def opening_effects(tab_id: bytes, requester: str, spec: TabSpec) -> Effects:
    """Return what opening a tab does."""
    wallet = Pocket(PocketKind.WALLET, requester)
    return effects_of([Flow(spec.amount, wallet, _pocket(tab_id))], _state(tab_id, "none", "open"))


def settlement_effects(tab: TabFacts, request: SignedRequest, now: int) -> Effects:
    """Return what settling a signed request does; raises as `check_request` does."""
    payment = check_request(tab, request, now, is_nonce_used=False)
    return effects_of(
        payment_flows(_pocket(tab.tab_id), tab.prover, tab.model_id, payment),
        Change(f"nonce {request.nonce} of the tab", "unused", "used"),
    )


def close_effects(tab: TabFacts, sender: str, now: int) -> Effects:
    """Return what closing a tab does; raises as `check_close` does."""
    check_close(tab, sender, now)
    back = Flow(tab.balance, _pocket(tab.tab_id), Pocket(PocketKind.CREDITS, tab.requester))
    return effects_of([back], _state(tab.tab_id, "open", "closed"))


class TabPlans:
    """Plans of one job manager's tabs. Each raises as the move itself does."""

    def __init__(self, tabs: TabsBinding) -> None:
        self._tabs = tabs

    def open_tab(self, sender: str, spec: TabSpec) -> Plan:
        """Plan to open a tab; its id is the one it gets if `sender` opens nothing before."""
        nonce = self._tabs.nonces_of(sender, block=self._tabs.chain.head)
        dry_run = self._tabs.dry_run(sender, "openTab", tuple(spec))
        return Plan(dry_run, opening_effects(self._tabs.tab_id_of(spec, sender, nonce), sender, spec))

    def settle_signed(
        self, sender: str, request: SignedRequest, signature: bytes, proved: tuple[bytes, bytes, bytes]
    ) -> Plan:
        """Plan to settle a signed request; see `TabsBinding.settle_signed`."""
        dry_run = self._tabs.dry_run(sender, "settleSigned", tuple(request), signature, *proved)
        facts = self._tabs.facts(request.tab_id)
        return Plan(dry_run, settlement_effects(facts, request, self._tabs.chain.now()))

    def close_tab(self, sender: str, tab_id: bytes) -> Plan:
        """Plan to close a tab."""
        dry_run = self._tabs.dry_run(sender, "closeTab", tab_id)
        return Plan(dry_run, close_effects(self._tabs.facts(tab_id), sender, self._tabs.chain.now()))


def _pocket(tab_id: bytes) -> Pocket:
    return Pocket(PocketKind.TAB, to_hex(tab_id))


def _state(tab_id: bytes, before: str, after: str) -> Change:
    return Change(f"tab {to_hex(tab_id)}", before, after)
