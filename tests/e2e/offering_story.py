"""The story of three offerings: one is delivered, one does not sell out, one is junk."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from economy_moves import Draw, Order
from economy_world import Proved
from offering_moves import ANYONE, OfferingDesk
from offering_picture import Sighting, look
from offering_world import BUYERS, FINE, GARBLED_CHUNK, JUNK, OWNERS, PURSES, RULES, UNSOLD
from paper_offering import WHOLE

from marketplace.pools import Side
from zkml.adapters.keys.dev_keys import dev_account
from zkml.errors import ZkmlError

DAY = timedelta(days=1)
SAMPLES = {"root": 1, "tuned": 2, "merge": 3, "junk": 4}
KINSHIP = [
    ("tuned", "root"),
    ("merge", "root"),
    ("merge", "tuned"),
    ("junk", "root"),
    ("junk", "tuned"),
    ("junk", "merge"),
]


class Story:
    """What happens, in order.

    Attributes:
        desk: where moves are made and noted.
        seen: what was seen of the chain, in order.
        fresh: the proof that released the first offering.
    """

    def __init__(self, desk: OfferingDesk) -> None:
        self.desk = desk
        self.seen: list[Sighting] = []
        self.fresh: Proved = (b"", b"", b"")
        self._paid = 0

    def tell(self) -> None:
        """Let everything happen."""
        self.sell()
        self.lock()
        self.deliver()
        self.trade()
        self.give_up()
        self.vest()
        self.sell_junk()
        self.refute_junk()
        self.pull()

    def look(self, when: str, *, at: int = 0) -> None:
        """Look at everything there is."""
        self.seen.append(look(self.desk, when, at=at))

    def infer(self, model: str, low: int, high: int, prover: str = "pia", *, refused: str = "") -> None:
        """Pay for an inference; a prover without access is refused."""
        self._paid += 1
        order = Order(f"job {self._paid}", "rosa", model, low, high, prover, SAMPLES[model])
        self.desk.open(order)
        if refused:
            self.refused(lambda: self.desk.claim(order._replace(prover=refused)))
        self.desk.claim(order)
        self.desk.settle(order, self.desk.proof(order))

    def stale(self, seed: bytes) -> Proved:
        """Prove what is sold on an input that no chain drew."""
        return self.desk.world.prove("merge", SAMPLES["merge"], seed)

    def refused(self, *moves: Callable[[], object]) -> None:
        """Check that moves are refused, and that no block was made: nothing anywhere has moved by them."""
        chain = self.desk.world.market.chain
        height = chain.height()
        for move in moves:
            with pytest.raises(ZkmlError):
                move()
        assert chain.height() == height

    # --- the one that is delivered -----------------------------------------------------------------

    def sell(self) -> None:
        """Open two offerings; one sells out on the Friday before clocks go forward."""
        desk, sunday = self.desk, self.desk.lab.sundays[0]
        desk.be_at(sunday - 4 * DAY)
        self.infer("merge", 1_000_003, 3_500_009)
        desk.offer("fine", "merge", FINE)
        desk.offer("unsold", "tuned", UNSOLD)
        assert [desk.reserve("fine", "bea", 2_000), desk.reserve("fine", "bob", 1_500)] == [2_000, 1_500]
        assert [desk.reserve("unsold", "bob", 211), desk.reserve("unsold", "cyd", 100)] == [211, 100]
        self.infer("merge", 777_781, 1_234_567)
        desk.resell("fine", "bob", 600, "cyd", 350)
        desk.take("bob")
        desk.donate("fine", "tess", 3_000_017)
        self.look("half sold")
        self.suppose_it_can_never_sell_out()
        desk.be_at(sunday - 2 * DAY, seconds=3 * 3600)
        assert desk.reserve("fine", "dot", 10_000) == 1_604
        self.look("sold out")

    def suppose_it_can_never_sell_out(self) -> None:
        """End a sale at once whose circuit is tombstoned: everybody has money, bond and model back."""
        desk = self.desk
        with desk.what_if():
            self._tombstone("fine")
            self.refused(lambda: desk.reserve("fine", "dot", 1))
            desk.close("fine")
            desk.repay("fine", "bea")
            self.look("tombstoned while it was sold")

    def lock(self) -> None:
        """Earn and pass shares on while they are locked, over the weekend and the change of clocks."""
        desk = self.desk
        self.infer("merge", 1_300_021, 2_600_003, refused="paul")
        self.infer("tuned", 500_009, 900_001)
        desk.pay_owner_income("fine")
        self.infer("junk", 900_007, 1_500_041)
        for child, ancestor in KINSHIP:
            if (child, ancestor) != ("tuned", "root"):
                desk.claim_lineage(child, ancestor)
        desk.claim_shares("merge", "fine", "bea")
        desk.withdraw("bea")
        desk.resell("fine", "bea", 300, "bob", 123)
        self.draw_tab()
        self.look("locked")
        self.refused(*self._thefts("fine"))
        desk.be_at(desk.lab.sundays[0] - DAY)
        desk.reveal("fine", "merge")
        self.look("revealed")

    def draw_tab(self) -> None:
        """Pay for an inference by a signed request."""
        desk = self.desk
        desk.open_tab("rosa's", "rosa", "merge", "pia", 9_000_011)
        request = Draw("rosa's", "merge", "pia", FINE.fee + 450_001, 2_345_677, SAMPLES["merge"])
        desk.draw(request, "rosa")
        desk.close_tab("rosa's", "pia")

    def deliver(self) -> None:
        """Release with a fresh proof, not a second before midnight, and with no other proof."""
        desk, offerings = self.desk, self.desk.world.market.offerings
        number, facts = desk.ids["fine"], desk.facts("fine")
        unlock_at = facts.unlock_at
        fresh = desk.world.prove_packed("merge", offerings.release_input(number), facts.seed)
        desk.be_at(datetime.fromtimestamp(unlock_at, UTC), seconds=-120)
        desk.at_exactly(unlock_at - 1)
        self.refused(lambda: desk.release("fine", fresh), *self._thefts("fine"))
        self.look("the last second of the lock", at=unlock_at - 1)
        self.look("releasable", at=unlock_at)
        kindred = desk.world.prove_packed("tuned", fresh[0], facts.seed)
        stale, altered = self.stale(facts.seed), fresh[2][:-1] + bytes([fresh[2][-1] ^ 1])
        wrong = [
            stale,
            kindred,
            (fresh[0], stale[1], fresh[2]),
            (*fresh[:2], stale[2]),
            (*fresh[:2], altered),
        ]
        self.refused(*[lambda proof=proof: desk.release("fine", proof) for proof in wrong])
        self.refused(*self._thefts("fine"))
        self.suppose_nobody_releases()
        self.suppose_it_is_tombstoned()
        desk.release("fine", fresh)
        self.fresh = fresh
        self.look("released")

    def suppose_nobody_releases(self) -> None:
        """Default after the grace, whose last second counts: holders get raise, bond and what was held."""
        desk, offerings = self.desk, self.desk.world.market.offerings
        overdue = offerings.releasable_at(desk.ids["fine"]) + RULES.grace_seconds
        with desk.what_if():
            self.look("the last second of the grace", at=overdue)
            self.look("overdue", at=overdue + 1)
            desk.declare_default("fine", at_fault=True)
            for holder in BUYERS:
                desk.repay("fine", holder)
            self.look("never released")

    def suppose_it_is_tombstoned(self) -> None:
        """Default at once: holders get raise and what was held, the creator the bond."""
        desk = self.desk
        with desk.what_if():
            self._tombstone("fine")
            desk.declare_default("fine", at_fault=False)
            desk.repay("fine", "bea")
            for who in ("ben", "bea"):
                desk.take(who)
            self.look("tombstoned")

    def trade(self) -> None:
        """Trade on the pool, pay dividends by both ways, and give back what pool and burned shares earn."""
        desk = self.desk
        desk.buy_shares("fine", "tess", 5_000_003)
        self.infer("merge", 1_000_033, 1_300_021, "paul")
        desk.transfer("fine", "dot", "tess", 10 * WHOLE + 500_009)
        desk.burn("fine", "dot", 3 * WHOLE + 1)
        self.infer("merge", 700_001, 1_900_037, "paul")
        snapshot, _ = desk.shares("fine").snapshot(desk.world.keys[ANYONE])
        desk.claim_snapshot("merge", "fine", "cyd", snapshot)
        desk.claim_shares("merge", "fine", "bob")
        desk.claim_shares("merge", "fine", "pool of fine")
        self.look("dividends")
        desk.return_pool_income("fine")
        desk.return_burned_income("fine")
        desk.sell_shares("fine", "tess", 7 * WHOLE + 123_456_789)
        desk.pay_vault("fine", "income")
        desk.pay_vault("fine", "vested")
        desk.take("ben")
        self.look("traded")

    # --- the one that does not sell out ------------------------------------------------------------

    def give_up(self) -> None:
        """Give money, bond and model of what did not sell out back."""
        desk, closes_at = self.desk, self.desk.facts("unsold").closes_at
        self.infer("tuned", 600_011, 1_100_009)
        self.look("the last second of the window", at=closes_at)
        self.look("the window is over", at=closes_at + 1)
        desk.repay("unsold", "cyd")
        desk.close("unsold")
        desk.repay("unsold", "bob")
        desk.pay_owner_income("unsold")
        for holder in ("cyd", "bob", "cleo"):
            desk.take(holder)
        self.infer("tuned", 400_009, 777_777)
        desk.claim_lineage("merge", "tuned")
        desk.claim_owner("tuned")
        self.look("unsold")

    def vest(self) -> None:
        """Let the rest of the raise vest, and the liquidity unlock."""
        desk, released = self.desk, datetime.fromtimestamp(self.desk.facts("fine").unlock_at, UTC)
        desk.be_at(released + 50 * DAY)
        desk.set_fee("fine", "ben", FINE.fee + 33_331)
        self.infer("merge", 1_100_009, 2_200_003, "paul")
        desk.pay_vault("fine", "vested")
        self.look("half vested")
        self.refused(lambda: desk.vault("fine").pay_liquidity(desk.world.keys["ben"]))
        desk.be_at(released + 182 * DAY)
        desk.pay_vault("fine", "liquidity")
        desk.remove_liquidity("fine", "ben", desk.pool("fine").liquidity_of(desk.account("ben")) // 3)
        desk.buy_shares("fine", "bob", 2_000_003)
        desk.pay_vault("fine", "vested")
        desk.pay_vault("fine", "income")
        self.look("vested")

    # --- the one that is junk ----------------------------------------------------------------------

    def sell_junk(self) -> None:
        """Sell what cannot be opened; the lock spans the day when clocks go back."""
        desk, sunday = self.desk, self.desk.lab.sundays[1]
        desk.be_at(sunday - 10 * DAY)
        desk.offer("junk", "junk", JUNK)
        desk.reserve("junk", "bea", 100)
        # Friday's midnight comes a second too soon.
        desk.be_at(sunday - 3 * DAY)
        desk.at_exactly(int((sunday - 3 * DAY).timestamp()) + 8 * 3600 + 1)
        assert desk.reserve("junk", "cyd", 100) == 57
        self.infer("junk", 900_007, 1_500_041)
        desk.resell("junk", "bea", 11, "dot", 7)
        desk.claim_shares("junk", "junk", "cyd")
        self.look("junk sold")
        self.refused(*self._thefts("junk"))

    def refute_junk(self) -> None:
        """Reveal in the last hours, be refuted, and pay the holders."""
        desk, offerings = self.desk, self.desk.world.market.offerings
        unlock_at = desk.facts("junk").unlock_at
        self.suppose_nobody_reveals(unlock_at)
        desk.be_at(datetime.fromtimestamp(unlock_at, UTC), seconds=3_000)
        desk.reveal("junk", "junk")
        self.look("junk revealed")
        seed = desk.facts("junk").seed
        fresh = desk.world.prove_packed("junk", offerings.release_input(desk.ids["junk"]), seed)
        self.refused(lambda: desk.release("junk", fresh), *self._thefts("junk"))
        self.suppose_the_guardian_speaks()
        assert desk.challenge("junk", "junk") == GARBLED_CHUNK
        self.look("refuted")
        self.refused(lambda: desk.release("junk", fresh))
        self.infer("junk", 1_000_003, 1_499_977)
        for holder in ("dot", "bea", "cyd"):
            desk.repay("junk", holder)
        desk.return_burned_income("junk")
        self.look("repaid")

    def suppose_nobody_reveals(self, unlock_at: int) -> None:
        """Default after the grace, whose last second counts."""
        desk, overdue = self.desk, unlock_at + RULES.grace_seconds
        with desk.what_if():
            self.look("the last second to reveal", at=overdue)
            self.look("not revealed", at=overdue + 1)
            self.refused(lambda: desk.reveal("junk", "junk"))
            desk.declare_default("junk", at_fault=True)
            self.look("never revealed")

    def suppose_the_guardian_speaks(self) -> None:
        """Default because the guardian says that what was revealed is not what was proved."""
        desk = self.desk
        with desk.what_if():
            offerings, guardian = desk.world.market.offerings, desk.world.keys["gus"]
            offerings.guardian_default(guardian, desk.ids["junk"], "it rebuilds another key")
            desk.note("default", "junk", at_fault=True)
            self.look("the guardian spoke")

    def pull(self) -> None:
        """Have everybody take all that is theirs by now."""
        desk, ledger = self.desk, self.desk.world.market.ledger
        for child, ancestor in KINSHIP:
            if ledger.lineage_due(desk.world.model_id(child), desk.world.model_id(ancestor)):
                desk.claim_lineage(child, ancestor)
        for model in ("root", "tuned"):
            if ledger.holders_due(desk.world.model_id(model)):
                desk.claim_owner(model)
        for name, model in (("fine", "merge"), ("junk", "junk")):
            for holder in PURSES:
                if ledger.shares_due(desk.world.model_id(model), desk.account(holder)):
                    desk.claim_shares(model, name, holder)
        desk.collect_platform()
        self._withdraw_all()
        self.look("the end")

    def _withdraw_all(self) -> None:
        desk, market = self.desk, self.desk.world.market
        for who in (*PURSES, "treasury"):
            if market.ledger.credits_of(desk.account(who)):
                desk.withdraw(who)
            if market.offerings.credits_of(desk.account(who)):
                desk.take(who)

    def _tombstone(self, name: str) -> None:
        market = self.desk.world.market
        circuit = market.offerings.release_circuit(self.desk.ids[name])
        market.router.tombstone(dev_account(market.chain.chain_id), circuit, "its verifier has a flaw")

    def _thefts(self, name: str) -> list[Callable[[], object]]:
        """Return all ways to get at money or shares of an offering that is not released."""
        desk, market, number = self.desk, self.desk.world.market, self.desk.ids[name]
        facts, keys = desk.facts(name), desk.world.keys
        creator = next(keys[owner] for owner in OWNERS.values() if keys[owner].address == facts.creator)
        holder, vault, shares = keys["bea"], desk.vault(name), desk.shares(name)
        pair, registry = desk.pair(name), market.registry.contract
        return [
            lambda: vault.pay_vested(creator),
            lambda: vault.pay_income(creator),
            lambda: vault.pay_liquidity(creator),
            lambda: vault.contract.transact(creator, "forfeit"),
            lambda: vault.contract.transact(creator, "start", 1, 1, 1, 1, 1),
            lambda: market.offerings.withdraw(creator),
            lambda: market.offerings.repay(holder, number, holder.address),
            lambda: market.offerings.close(creator, number),
            lambda: market.offerings.declare_default(creator, number),
            lambda: market.offerings.guardian_default(creator, number, "mine"),
            lambda: market.offerings.reserve(holder, number, 1),
            lambda: shares.transfer(holder, creator.address, 1),
            lambda: shares.burn(holder, 1),
            lambda: shares.contract.transact(creator, "release", pair.address),
            lambda: shares.contract.transact(creator, "mint", creator.address, WHOLE),
            lambda: desk.pool(name).trade(holder, Side.SHARES, WHOLE, least=0),
            lambda: pair.transact(creator, "mint", creator.address),
            lambda: market.ledger.claim_owner(creator, facts.model_id),
            lambda: registry.transact(
                creator, "transferFrom", facts.steward, creator.address, facts.model_id
            ),
            lambda: market.registry.retire(creator, facts.model_id),
        ]
