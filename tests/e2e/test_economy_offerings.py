"""Offerings of models with real proofs on a real node agree with offerings on paper, to the last unit, at all times."""

import dataclasses
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from commands import zkml
from economy_model import Model
from economy_world import RULES as MARKET_RULES
from economy_world import STAKE
from offering_moves import OfferingDesk
from offering_picture import Sighting, ancestors_of
from offering_story import KINSHIP, Story
from offering_world import (
    CAST,
    FINE,
    HOLDERS,
    JUNK,
    OWNERS,
    PACIFIC,
    PEOPLE,
    PURSES,
    RULES,
    UNSOLD,
    open_offering_lab,
)
from paper_law import Law
from paper_offering import PaperOfferings
from paper_picture import Picture, draw
from systems import SYSTEMS

from verifier_contracts.bindings import BoundContract
from zkml.adapters.evm.abi import Event
from zkml.core.digests import keccak256

pytestmark = pytest.mark.e2e

LAW = Law(challenge_seconds=RULES.challenge_seconds, grace_seconds=RULES.grace_seconds)

TERMS = {"fine": FINE, "unsold": UNSOLD, "junk": JUNK}
CREATORS = {"fine": "ben", "unsold": "cleo", "junk": "mal"}

# Each rule, changed by one or to the next thing one could have meant, and where it must show.
OTHER_LAWS = [
    ("creator_percent", 50, "creator's shares of fine"),
    ("creator_up", True, "creator's shares of fine"),
    ("challenge_seconds", LAW.challenge_seconds + 1, "release of junk"),
    ("grace_seconds", LAW.grace_seconds - 1, "status of fine"),
    ("grace_seconds", LAW.grace_seconds + 1, "status of junk"),
    ("lead_seconds", LAW.lead_seconds - 1, "unlocking of junk"),
    ("open_on_saturday", True, "unlocking of fine"),
    ("summer_time", False, "unlocking of fine"),
    ("earns_from", "release", "fine earned by bea"),
    ("pays_ancestors", False, "fine earned by dot"),
    ("resale_extra", 1, "money of bob"),
    ("bond_at_release", "treasury", "the offerings owe ben"),
    ("bond_at_failure", "treasury", "money of cleo"),
    ("bond_at_default", "creator", "bonus of junk"),
    ("bond_without_fault", "holders", "money of ben"),
    ("income_at_default", "creator", "bonus of junk"),
    ("repays_the_rest", False, "the offerings owe cyd"),
    ("burned_return", False, "inherited by junk"),
    ("seed_money_up", True, "money in the pool of fine"),
    ("seed_dilutes", True, "supply of fine"),
    ("vests_from", "lock", "money of vault of fine"),
    ("vested_up", True, "money of vault of fine"),
    ("early_seconds", 1, "vested shares of fine"),
    ("pool_keeps", 998, "shares in the pool of fine"),
    ("least_liquidity", 999, "locked liquidity of fine"),
    ("pool_returns", False, "fine earned by cyd"),
    ("returned_pays_ancestors", True, "revenue of merge"),
    ("donations_vest", True, "money of vault of fine"),
]
OTHER_TERMS = [
    ("total", 1, "supply of fine"),
    ("price", 1, "money of bea"),
    ("bond", 1, "the offerings owe ben"),
    ("window", 1, "close of fine"),
    ("seed_ppm", 1, "money in the pool of fine"),
    ("vesting", 1, "vested shares of fine"),
    ("fee", 1, "revenue of merge"),
    ("least_part_ppm", 500_000, "revenue of merge"),
]


@pytest.fixture(scope="module", params=SYSTEMS)
def told(request, tmp_path_factory) -> Iterator[Story]:
    """Let the whole story happen once."""
    with open_offering_lab(tmp_path_factory.mktemp("offerings"), request.param) as lab:
        story = Story(OfferingDesk(lab.world, lab=lab))
        story.tell()
        yield story


def paper_of(sighting: Sighting, law: Law = LAW, **changes: int) -> PaperOfferings:
    """Repeat on paper what had happened when something was seen.

    Args:
        sighting: what was seen, and when.
        law: the rules.
        changes: what to add to terms of the offering that is delivered.
    """
    paper = PaperOfferings(MARKET_RULES, law)
    for name, terms in CAST.fees.items():
        fee = max(terms.model_fee, terms.min_model_fee)
        paper.models[name] = Model(CAST.owners[name], fee, terms.min_model_fee_ppm, dict(CAST.parents[name]))
    paper.wallets.update(PURSES)
    for name in CAST.provers:
        paper.stake(name, STAKE)
    for move in sighting.notes:
        arguments = list(move.arguments)
        if move.name == "offer" and arguments[0] == "fine":
            added = {field: getattr(FINE, field) + change for field, change in changes.items()}
            arguments[-1] = dataclasses.replace(FINE, **added)
        getattr(paper, move.name)(*arguments, **move.named)
    return paper


def drawn(sighting: Sighting, law: Law = LAW, **changes: int) -> Picture:
    """Return what there must have been to see; see `paper_of`."""
    return draw(paper_of(sighting, law, **changes), PEOPLE, HOLDERS, sighting.at)


def differs(story: Story, key: str, law: Law = LAW, **changes: int) -> bool:
    """Say whether one thing was ever seen to be otherwise than on paper."""
    return any(
        key in sighting.picture and drawn(sighting, law, **changes).get(key) != sighting.picture[key]
        for sighting in story.seen
    )


def seen(story: Story, when: str) -> Picture:
    """Return what was seen at one time."""
    return next(sighting.picture for sighting in story.seen if sighting.when == when)


def till_events(story: Story) -> list[Event]:
    """Return all events by which the offering contract owes or pays, in order."""
    market = story.desk.world.market
    names = ("SharesPassedOn", "HolderRepaid", "OfferingFailed", "OfferingReleased", "Withdrawn")
    events = [
        event
        for name in names
        for event in market.offerings.contract.find_events(name, from_block=market.deployment.block)
    ]
    return sorted(events, key=lambda event: (event.log.block, event.log.index))


def transfers_from(story: Story, account: str, token: BoundContract | None = None) -> list[Event]:
    """Return all transfers of the payment token, or of another one, out of an account."""
    market = story.desk.world.market
    token = token or market.token.contract
    return list(token.find_events("Transfer", {"from": account}, from_block=market.deployment.block))


# --- the claims ------------------------------------------------------------------------------------


def test_offerings__whole_story__looks_as_on_paper_at_all_times(told):
    """All money, shares, credits, royalties and terms are the reference model's to the last unit, every time."""
    for sighting in told.seen:
        paper = drawn(sighting)
        wrong = {
            key: (found, paper.get(key)) for key, found in sighting.picture.items() if paper.get(key) != found
        }
        assert not wrong, f"{sighting.when}: chain, paper: {wrong}"
        assert paper.keys() == sighting.picture.keys()


def test_offerings__whole_story__makes_and_loses_no_money(told):
    """I1: at all times everybody and every contract together hold exactly what was minted, on chain and on paper."""
    for sighting in told.seen:
        held = sum(value for key, value in sighting.picture.items() if key.startswith("money of "))
        paper = paper_of(sighting)
        assert held == sum(PURSES.values()), sighting.when
        assert sum(paper.wallets.values()) + paper.ledger_holds() + paper.stakes_hold() == held, sighting.when


@pytest.mark.parametrize(("rule", "value", "key"), OTHER_LAWS)
def test_offerings__paper_of_another_rule__disagrees(told, rule, value, key):
    """The story feels every rule of offerings, where it should and by the unit."""
    assert not differs(told, key)
    assert differs(told, key, dataclasses.replace(LAW, **{rule: value}))


def test_offerings__rules__are_all_felt():
    """No rule is left out of the test above."""
    assert {rule for rule, *_ in OTHER_LAWS} == {field.name for field in dataclasses.fields(Law)}


@pytest.mark.parametrize(("term", "change", "key"), OTHER_TERMS)
def test_offerings__paper_of_other_terms__disagrees(told, term, change, key):
    """The story feels a single unit in what was offered."""
    assert differs(told, key, **{term: change})


def test_offerings__three_offerings__end_as_they_must(told):
    """One is sold, revealed, released and traded; one does not sell out; one is revealed, refuted and defaults."""
    statuses = {
        name: list(
            dict.fromkeys(
                one.picture[key] for one in told.seen if (key := f"status of {name}") in one.picture
            )
        )
        for name in ("fine", "unsold", "junk")
    }
    # OVERDUE, and the first one's FAILED and DEFAULTED, are what would have been had nobody revealed or released,
    # or had its circuit been tombstoned.
    assert statuses == {
        "fine": [
            "OPEN",
            "FAILED",
            "SOFT_LOCKED",
            "REVEALED",
            "RELEASABLE",
            "OVERDUE",
            "DEFAULTED",
            "TRADING",
        ],
        "unsold": ["OPEN", "FAILED"],
        "junk": ["SOFT_LOCKED", "OVERDUE", "DEFAULTED", "REVEALED"],
    }
    edges = [
        ("the last second of the window", "the window is over", "unsold", ["OPEN", "FAILED"]),
        ("the last second to reveal", "not revealed", "junk", ["SOFT_LOCKED", "OVERDUE"]),
        ("the last second of the lock", "releasable", "fine", ["REVEALED", "RELEASABLE"]),
        ("the last second of the grace", "overdue", "fine", ["RELEASABLE", "OVERDUE"]),
    ]
    for before, after, name, expected in edges:
        assert [seen(told, when)[f"status of {name}"] for when in (before, after)] == expected


def test_offerings__locks__span_a_weekend_and_a_change_of_clocks(told):
    """I10: locks end on Monday at 00:00 as Los Angeles has it, in spring an hour sooner and in autumn later."""
    picture = seen(told, "the end")
    changes = zip(("fine", "junk"), told.desk.lab.sundays, (-3600, 3600), strict=True)
    for name, sunday, gained in changes:
        sold_at, unlock_at = (
            datetime.fromtimestamp(int(picture[f"{what} of {name}"]), PACIFIC)
            for what in ("sale", "unlocking")
        )
        assert sold_at < sunday < unlock_at
        assert unlock_at == (sunday + timedelta(days=1)).replace(hour=0)
        assert unlock_at.weekday() == 0
        on_the_wall = unlock_at.replace(tzinfo=None) - sold_at.replace(tzinfo=None)
        assert unlock_at.timestamp() - sold_at.timestamp() == on_the_wall.total_seconds() + gained


def test_offerings__release__was_by_a_proof_that_the_router_accepts(told):
    """I2, I5: the release's proof is of the input drawn after the sale, which no earlier proof is about."""
    desk, market = told.desk, told.desk.world.market
    number, circuit = desk.ids["fine"], desk.world.published["merge"].circuit.circuit_id
    facts, released = desk.facts("fine"), market.offerings.events.released(number)
    assert told.fresh[0] == market.offerings.release_input(number)
    genesis = market.registry.genesis(facts.model_id, circuit)
    assert told.fresh[0] not in {told.stale(facts.seed)[0], genesis.packed_input}
    assert (released.output_digest, released.proof_digest) == tuple(map(keccak256, told.fresh[1:]))
    market.router.verify(circuit, facts.seed, *told.fresh)


def test_offerings__till__paid_what_resales_and_endings_made_due(told):
    """I2: whatever left the till left it in a release, or was the account's by a resale, a repayment or a bond back."""
    market, facts = told.desk.world.market, told.desk.facts("fine")
    raised, due = facts.public_shares * facts.price, defaultdict(int)
    paid: Counter[str] = Counter()
    for event in till_events(told):
        values, transaction = event.arguments, event.log.transaction
        if event.name == "Withdrawn":
            due[values["account"]] -= values["amount"]
            paid[transaction] += values["amount"]
            assert due[values["account"]] == 0
        elif event.name == "SharesPassedOn":
            due[values["from"]] += values["cost"]
        elif event.name == "HolderRepaid":
            due[values["holder"]] += values["amount"]
        else:
            name = next(name for name, number in told.desk.ids.items() if number == values["offeringId"])
            due[told.desk.account(CREATORS[name])] += TERMS[name].bond
            paid[transaction] += raised if event.name == "OfferingReleased" else 0
    assert not any(due.values())
    left: Counter[str] = Counter()
    for transfer in transfers_from(told, market.offerings.address):
        left[transfer.log.transaction] += transfer.arguments["value"]
    assert left == +paid


def test_offerings__vaults__pay_nothing_but_after_the_release(told):
    """I2: no money and no share of a creator's part ever moved before the transaction with the accepted fresh proof."""
    desk = told.desk
    released = desk.world.market.offerings.events.released(desk.ids["fine"]).where
    for name in desk.ids:
        vault = desk.account(f"vault of {name}")
        money, shares = transfers_from(told, vault), transfers_from(told, vault, desk.shares(name).contract)
        burned = [one for one in shares if int(one.arguments["to"], 16) == 0]
        if name == "fine":
            assert money
            assert min(one.log.block for one in (*money, *shares)) == released.block
            assert not burned
        else:
            assert not money
            assert len(shares) == len(burned) == (name == "junk")


def test_offerings__ancestors__keep_their_royalties(told):
    """A and C have their part of all that B's model ever earned, before, in and after the lock, and after the sale."""
    picture = seen(told, "the end")
    ledger = told.desk.world.market.ledger.contract
    ids = {model: told.desk.world.model_id(model) for model in OWNERS}
    shares = {"root": 150_000, "tuned": 200_000}
    assert set(ancestors_of("merge")) == set(shares)
    for ancestor, ppm in shares.items():
        claims = ledger.find_events(
            "LineageClaimed",
            {"descendantId": ids["merge"], "ancestorId": ids[ancestor]},
            from_block=told.desk.world.market.deployment.block,
        )
        passed_on = sum(claim.arguments["amount"] for claim in claims)
        assert passed_on == int(picture["revenue of merge"]) * ppm // 1_000_000


def test_offerings__holders_of_junk__get_raise_bond_and_held_income(told):
    """Whoever sells what no key opens loses bond and shares: holders have all of it, to the last unit."""
    refuted, repaid = seen(told, "refuted"), seen(told, "repaid")
    held = int(seen(told, "junk revealed")["junk earned by vault of junk"])
    public = JUNK.total - JUNK.total * 49 // 100
    assert held > 0
    assert refuted["bonus of junk"] == JUNK.bond + held
    owed = [f"the offerings owe {holder}" for holder in ("bea", "cyd", "dot")]
    gained = sum(int(repaid[key]) - int(refuted[key]) for key in owed)
    assert gained == public * JUNK.price + JUNK.bond + held
    assert refuted["supply of junk"] == public * 10**18
    assert refuted["the offerings owe mal"] == 0


def test_offerings__buyers_of_the_unsold__have_their_money_and_its_creator_bond_and_model(told):
    """What does not sell out costs nobody anything, and its creator has what it earned meanwhile."""
    before, after = seen(told, "half sold"), seen(told, "unsold")
    assert after["owner of tuned"] == "cleo"
    assert after["supply of unsold"] == 0
    assert before["unsold reserved by cyd"] == 100
    paid = sum(int(before[f"unsold reserved by {who}"]) for who in ("bob", "cyd")) * UNSOLD.price
    assert paid == (211 + 100) * UNSOLD.price
    assert after["the offerings owe cleo"] == after["the offerings owe cyd"] == 0


def test_offerings__the_end__leaves_fractions_only(told):
    """When everybody took what is theirs, no offering holds anything, and the ledger less than a unit for each claim."""
    picture = seen(told, "the end")
    assert picture["money of the offerings"] == 0
    assert picture["vested money of fine"] == picture["vested shares of fine"] == 0
    assert picture["money of vault of fine"] == 3_000_017
    assert picture["money of vault of junk"] == picture["money of vault of unsold"] == 0
    unreturned = sum(
        int(picture[f"the ledger owes {who}"]) + int(picture[f"{name} earned by {who}"])
        for name, who in (("fine", "pool of fine"), ("fine", "nobody"), ("junk", "nobody"))
    )
    claims = len(KINSHIP) + 2 * len(HOLDERS)
    assert int(picture["money of the ledger"]) - unreturned < claims


def test_offerings__command_line__shows_what_the_paper_says(told):
    """`zkml imo show` prints the very sums of the reference model: of what trades, and of what was refuted."""
    world, end = told.desk.world, told.seen[-1]
    paper, show = drawn(end), world.market.token.show

    def shown(name):
        where = ("--rpc-url", world.market.chain.endpoint)
        run = zkml(world.home.root, "imo", "show", str(told.desk.ids[name]), "--json", *where)
        assert run.returncode == 0, run.stderr
        return json.loads(run.stdout)

    fine, junk = shown("fine"), shown("junk")
    assert (fine["status"], junk["status"]) == ("TRADING", "DEFAULTED")
    assert fine["creator_shares"] == paper["creator's shares of fine"]
    assert fine["times"]["unlocks"]["timestamp"] == paper["unlocking of fine"]
    assert fine["release"]["pool_money"] == show(paper["money in the pool of fine"])
    refuted = next(sighting for sighting in told.seen if sighting.when == "refuted")
    assert junk["default"]["bonus"] == show(drawn(refuted)["bonus of junk"])
    assert junk["default"]["cause"] == "REFUTED"
