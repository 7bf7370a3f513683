"""One offering on its way through a history: each move foreseen in Python, made on the contracts, and compared."""

import pytest
from evm_market import (
    DEPLOYER,
    GUARDIAN,
    HOLIDAYS,
    INPUT,
    OUTPUT,
    PROOF,
    EvmMarket,
    actor,
    error_name,
)

from marketplace import offering_effects, share_effects
from marketplace.effects import PocketKind
from marketplace.offering_answers import offering_facts
from marketplace.offering_effects import Income
from marketplace.vaults import VestingState
from zkml.core.artifact_encryption import Artifact, ArtifactKey, WrongChunk, cipher_leaf, plain_leaf
from zkml.core.digests import keccak256
from zkml.core.identifiers import FeeTerms
from zkml.core.job_machine import ZERO_ADDRESS
from zkml.core.market_identifiers import JobSpec
from zkml.core.offering_machine import (
    DefaultCause,
    OfferingStatus,
    releasable_at,
    status_of,
)
from zkml.core.offering_money import SHARE, seed_of
from zkml.core.offering_moves import check_move, declared_cause
from zkml.core.offering_terms import OfferingTerms
from zkml.core.tensors import input_commitment
from zkml.errors import MarketError, RevertedError, ZkmlError

CREATOR, AUDITOR, STRANGER = DEPLOYER, actor(0x6B), actor(0x66)
BUYERS = [actor(0x41), actor(0x42), actor(0x43)]
REQUESTER, PROVER = actor(0x11), actor(0x21)
KEY = ArtifactKey(keccak256(b"key of a test"))
JUNK = b"not what was promised, by far..."
DIGEST = keccak256(b"what was promised")
ARTIFACT = Artifact(plain_leaf(0, len(JUNK), DIGEST), cipher_leaf(0, JUNK), len(JUNK))
CHUNK = WrongChunk(0, JUNK, (), DIGEST, ())
PRICE, TOTAL, PUBLIC, WINDOW = 1_000_003, 100, 51, 500


def offered_market():
    """Deploy everything, with one encrypted model that a prover may prove, and parties who have tokens."""
    market = EvmMarket(fees=FeeTerms(model_fee=300_001))
    fees = FeeTerms(model_fee=700_001, min_model_fee=7, min_model_fee_ppm=50_000)
    market.model_id, market.circuit_id = market.add_model(
        "an encrypted model", fees, key_commitment=KEY.commitment
    )
    market.enroll(PROVER, 500_000_000)
    market.send(CREATOR, "registry", "setAccess", market.model_id, PROVER, True)
    market.fund(REQUESTER, 1_000_000_000, "ledger")
    for buyer in (*BUYERS, CREATOR):
        market.fund(buyer, 1_000_000_000, "offerings")
    return market


def terms_of(market, **changes):
    """Return terms that the deployment accepts, of the market's model."""
    fields = {
        "model_id": market.model_id,
        "total_shares": TOTAL,
        "price": PRICE,
        "bond": 6_000_007,
        "window_seconds": WINDOW,
        "seed_ppm": 250_001,
        "vesting_seconds": market.rules.min_vesting_seconds,
        "lp_lock_seconds": market.rules.min_lp_lock_seconds,
        "fees": FeeTerms(model_fee=800_001, min_model_fee=8, min_model_fee_ppm=60_000),
        "max_model_fee": 900_001,
        "successor_rate_ppm": 100_000,
        "guardian": AUDITOR,
        "artifact": ARTIFACT,
        "name": "Shares of a model",
        "symbol": "MODEL",
    }
    return OfferingTerms.build(**{**fields, **changes})


class OfferingWalk:
    """One offering and its parties.

    Attributes:
        seen: statuses that were compared.
        refusals: names of the errors of moves that both sides refused.
    """

    def __init__(self, market, **changes):
        self.market = market
        self.is_tombstoned = False
        self.seen, self.refusals = set(), []
        self.terms = terms_of(market, **changes)
        self.number = market.read("offerings", "offeringCount") + 1
        market.send(CREATOR, "registry", "approve", market.addresses["offerings"], market.model_id)
        due = market.read("ledger", "holdersDue", market.model_id)
        found = market.send(CREATOR, "offerings", "open", self.terms.as_abi())
        self.opening = offering_effects.opening_effects(found, CREATOR, self.terms, due)
        assert found == self.number
        facts = self.facts()
        market.bind("shares", "ModelToken", facts.shares)
        market.bind("vault", "CreatorVault", facts.vault)
        market.bind("steward", "ModelSteward", facts.steward)
        self.pool = market.read("vault", "pool")
        self.people = [CREATOR, *BUYERS, REQUESTER, PROVER, STRANGER, facts.vault, facts.steward]
        self.people += [self.pool, ZERO_ADDRESS]

    def facts(self):
        values = self.market.read("offerings", "offeringOf", self.number)
        return offering_facts(self.number, values, where="here")

    def status(self):
        return OfferingStatus(self.market.read("offerings", "statusOf", self.number))

    def agree(self):
        """Compare status and release time a second before, at and after every boundary that can still come."""
        market, facts, now = self.market, self.facts(), self.market.now
        due = releasable_at(facts, market.rules)
        assert market.read("offerings", "releasableAt", self.number) == due
        edges = {facts.closes_at, facts.unlock_at, due}
        edges |= {edge + market.rules.grace_seconds for edge in edges}
        for time in {now, *(edge + step for edge in edges for step in (-1, 0, 1))}:
            market.now = max(time, now)
            market._tick()
            on_chain = self.status()
            assert status_of(facts, market.rules, market.now) is on_chain, (facts, market.now)
            self.seen.add(on_chain)
        market.now = now
        market._tick()

    def until(self, edge, offset=0):
        """Let time pass to a boundary of the offering; back it never goes."""
        facts, rules = self.facts(), self.market.rules
        at = {
            "close": facts.closes_at,
            "unlock": facts.unlock_at,
            "release": releasable_at(facts, rules),
            "unlock grace": facts.unlock_at + rules.grace_seconds,
            "release grace": releasable_at(facts, rules) + rules.grace_seconds,
        }[edge]
        self.market.pass_time(max(0, at + offset - self.market.now))

    def step(self, move, who, *arguments):
        """Make a move if Python allows it, and see the contracts do or refuse the same."""
        if move == "wait":
            self.until(who, *arguments)
            return
        if move == "earn":
            self.earn()
            return
        if move == "tombstone":
            if not self.is_tombstoned:
                self.market.send(GUARDIAN, "router", "tombstone", self.market.circuit_id, "broken")
            self.is_tombstoned = True
            return
        try:
            foreseen = getattr(self, f"foresee_{move}")(who, *arguments)
        except ZkmlError:
            with pytest.raises(RevertedError) as caught:
                self.make(move, who, *arguments)
            self.refusals.append(error_name(caught.value))
            return
        before = self.pockets()
        self.make(move, who, *arguments)
        assert self.pockets() == after_flows(before, foreseen.flows), (move, foreseen)
        self.check_status(foreseen)
        self.check_shares()

    def check_status(self, foreseen):
        after = {change.subject: change.after for change in foreseen.changes}
        wanted = after.get(f"status of offering {self.number}")
        assert wanted in (None, self.status().name)

    def check_shares(self):
        """Until they are free, shares are exactly reservations, and the contract holds exactly what it owes."""
        market, facts = self.market, self.facts()
        if self.status() not in (OfferingStatus.TRADING, OfferingStatus.DEFAULTED):
            for buyer in (*BUYERS, CREATOR):
                reserved = market.read("offerings", "reservationOf", self.number, buyer)
                assert market.read("shares", "balanceOf", buyer) == reserved * SHARE
        if self.status() is OfferingStatus.TRADING:
            seed = seed_of(facts.public_shares, facts.price, facts.seed_ppm)
            assert market.read("token", "balanceOf", self.pool) == seed.money
            assert market.read("shares", "balanceOf", self.pool) == seed.shares

    def foresee_reserve(self, buyer, most, least=1):
        facts, due = self.facts(), self.market.read("ledger", "holdersDue", self.market.model_id)
        now, rules = self.market.now, self.market.rules
        check_move(facts, rules, "reserve", now, is_tombstoned=self.is_tombstoned)
        if min(most, facts.left) < max(1, least):
            raise MarketError("expected more shares, found fewer")
        reserved = self.market.read("offerings", "reservationOf", self.number, buyer)
        effects = offering_effects.reserve_effects(
            facts, rules, buyer, most, now, reserved=reserved, holidays=frozenset(HOLIDAYS), owner_due=due
        )
        self.expected_lock = {change.subject: change.after for change in effects.changes}
        return effects

    def foresee_resell(self, holder, count):
        facts, market = self.facts(), self.market
        check_move(facts, market.rules, "offer_resale", market.now)
        if count > market.read("offerings", "reservationOf", self.number, holder):
            raise MarketError("expected as many shares, found fewer")
        before = market.read("offerings", "resaleOf", self.number, holder)
        return offering_effects.resale_offer_effects(facts, holder, before, count)

    def foresee_buy(self, buyer, holder, count):
        facts, market = self.facts(), self.market
        check_move(facts, market.rules, "buy_resale", market.now)
        offered = market.read("offerings", "resaleOf", self.number, holder)
        if not 0 < count <= offered:
            raise MarketError("expected as many on offer, found fewer")
        reserved = tuple(
            market.read("offerings", "reservationOf", self.number, who) for who in (buyer, holder)
        )
        return offering_effects.resale_effects(
            facts, buyer, holder, count, offered=offered, reserved=reserved
        )

    def foresee_reveal(self, who):
        return offering_effects.reveal_effects(self.facts(), self.market.rules, self.market.now)

    def foresee_challenge(self, who):
        return self._default(DefaultCause.REFUTED)

    def foresee_guard(self, who):
        check_move(self.facts(), self.market.rules, "guardian_default", self.market.now, caller=who)
        return self._default(DefaultCause.GUARDIAN)

    def foresee_default(self, who):
        facts, market = self.facts(), self.market
        check_move(facts, market.rules, "declare_default", market.now, is_tombstoned=self.is_tombstoned)
        return self._default(declared_cause(facts, market.rules, market.now))

    def _default(self, cause):
        facts, market = self.facts(), self.market
        return offering_effects.default_effects(
            facts, market.rules, cause, market.now, self.held_by(facts.vault)
        )

    def foresee_finalize(self, who):
        facts, market = self.facts(), self.market
        check_move(facts, market.rules, "finalize", market.now, is_tombstoned=self.is_tombstoned)
        return offering_effects.release_effects(facts, market.rules, market.now)

    def foresee_close(self, who):
        rules, now, dead = self.market.rules, self.market.now, self.is_tombstoned
        return offering_effects.close_effects(self.facts(), rules, now, is_tombstoned=dead)

    def foresee_repay(self, who, holder):
        count = self.market.read("offerings", "reservationOf", self.number, holder)
        return offering_effects.repay_effects(self.facts(), self.market.rules, holder, count, self.market.now)

    def foresee_withdraw(self, who):
        amount = self.market.read("offerings", "credits", who)
        if amount == 0:
            raise MarketError("expected credits, found none")
        return offering_effects.withdraw_effects(who, who, amount)

    def foresee_vest(self, who):
        state = VestingState(*self.market.read("vault", "vesting"))
        return share_effects.vested_effects(self.facts(), state.due_at(self.market.now))

    def foresee_income(self, who):
        facts, held = self.facts(), self.held_by(self.facts().vault)
        if self.status() is not OfferingStatus.TRADING or held == Income():
            raise MarketError("expected income, found none")
        return share_effects.vault_income_effects(facts, held)

    def foresee_claim(self, who, holder):
        holder = holder or self.facts().vault
        facts, held = self.facts(), self.held_by(holder)
        if held.due == 0:
            raise MarketError("expected income, found none")
        return share_effects.claim_effects(facts.model_id, holder, held.due)

    def foresee_return(self, who, whose):
        market = self.market
        holder = market.read("shares", "pool") if whose == "Pool" else ZERO_ADDRESS
        held = self.held_by(holder)
        if held == Income():
            raise MarketError("expected income, found none")
        return share_effects.returned_effects(market.model_id, holder, held)

    def make(self, move, who, *arguments):
        """Make a move on the contracts."""
        number, model = self.number, self.market.model_id
        contract, function, values = {
            "reserve": lambda most=0, least=1: ("offerings", "reserve", (number, most, least)),
            "resell": lambda count=0: ("offerings", "offerResale", (number, count)),
            "buy": lambda holder="", count=0: ("offerings", "buyResale", (number, holder, count)),
            "reveal": lambda: ("offerings", "reveal", (number, KEY.secret)),
            "challenge": lambda: ("offerings", "challenge", (number, CHUNK.as_abi())),
            "guard": lambda: ("offerings", "guardianDefault", (number, "another model")),
            "finalize": lambda: ("offerings", "finalize", (number, OUTPUT, PROOF)),
            "default": lambda: ("offerings", "declareDefault", (number,)),
            "close": lambda: ("offerings", "close", (number,)),
            "repay": lambda holder="": ("offerings", "repay", (number, holder)),
            "withdraw": lambda: ("offerings", "withdraw", (who,)),
            "vest": lambda: ("vault", "payVested", ()),
            "income": lambda: ("vault", "payIncome", ()),
            "return": lambda whose="": ("shares", f"return{whose}Income", ()),
            "claim": lambda holder="": ("ledger", "claimShares", (model, holder or self.facts().vault)),
        }[move](*arguments)
        return self.market.send(who, contract, function, *values)

    def earn(self):
        """Settle a job of the model, unless it was found unsafe."""
        if self.is_tombstoned:
            return
        market = self.market
        spec = JobSpec(
            market.model_id,
            market.circuit_id,
            input_commitment(INPUT),
            "",
            7,
            7,
            10**9,
            0,
            60,
            market.now + 600,
        )
        job = market.send(REQUESTER, "manager", "open", tuple(spec), INPUT)
        market.send(PROVER, "manager", "claim", job)
        market.send(PROVER, "manager", "settle", job, INPUT, OUTPUT, PROOF)

    def held_by(self, holder):
        """Return what a holder of shares has earned, and what is credited to it."""
        market = self.market
        is_shared = market.read("ledger", "sharesOf", market.model_id) != ZERO_ADDRESS
        due = market.read("ledger", "sharesDue", market.model_id, holder) if is_shared else 0
        return Income(due, market.read("ledger", "credits", holder))

    def pockets(self):
        """Return what every pocket holds; what is left with the model is what nobody else has in the ledger."""
        market, facts, found = self.market, self.facts(), {}
        of = f"offering {self.number}"
        for account in self.people:
            found[PocketKind.WALLET, account] = market.read("token", "balanceOf", account)
            found[PocketKind.CREDITS, account] = market.read("ledger", "credits", account)
            found[PocketKind.OFFERING_CREDITS, account] = market.read("offerings", "credits", account)
        found[PocketKind.VAULT, of] = found.pop((PocketKind.WALLET, facts.vault))
        found[PocketKind.POOL, of] = found.pop((PocketKind.WALLET, self.pool))
        found[PocketKind.BOND, of] = 0 if facts.outcome else facts.bond
        found[PocketKind.BONUS, of] = facts.bonus
        owed = sum(found[PocketKind.OFFERING_CREDITS, account] for account in self.people)
        held = market.read("token", "balanceOf", market.addresses["offerings"])
        found[PocketKind.RAISE, of] = held - owed - found[PocketKind.BOND, of] - facts.bonus
        is_released = self.status() is OfferingStatus.TRADING
        unpaid = [market.read("offerings", "reservationOf", self.number, who) for who in (*BUYERS, CREATOR)]
        assert found[PocketKind.RAISE, of] == (0 if is_released else sum(unpaid) * facts.price)
        credited = sum(found[PocketKind.CREDITS, account] for account in self.people)
        _, platform, inherited = market.read("ledger", "incomeOf", market.model_id)
        in_ledger = market.read("token", "balanceOf", market.addresses["ledger"])
        model = f"model {market.model_id:#x}"
        found[PocketKind.INHERITED, model] = (
            inherited  # all that ever came back: what is claimed leaves the rest
        )
        found[PocketKind.REVENUE, model] = in_ledger - credited - platform - inherited
        return found


def after_flows(pockets, flows):
    """Return the pockets after tokens have moved."""
    after = dict(pockets)
    for flow in flows:
        after[flow.source.kind, flow.source.owner] -= flow.amount
        after[flow.target.kind, flow.target.owner] += flow.amount
    return after
