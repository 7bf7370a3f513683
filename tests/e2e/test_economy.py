"""An economy of kindred models, with real proofs on a real node, agrees with a market on paper to the last unit."""

import dataclasses
import json
from collections import Counter
from collections.abc import Iterator

import pytest
from commands import zkml
from economy_model import Model, PaperMarket, Rules
from economy_moves import CLAIM_SECONDS, JOB_SECONDS, Desk, Draw, Order
from economy_world import (
    FEES,
    OWNERS,
    PARENTS,
    PROVERS,
    PURSES,
    REQUESTERS,
    RULES,
    STAKE,
    UNSTAKE_DELAY_SECONDS,
    World,
    open_world,
)
from systems import SYSTEMS

from verifier_contracts.deployed_verifier import DeployedVerifier
from zkml.core.job_machine import JobStatus
from zkml.errors import MarketError, NotClaimantError, ProofRejectedError

pytestmark = pytest.mark.e2e

BURN_ADDRESS = "0x000000000000000000000000000000000000dEaD"
TRADERS = (*OWNERS.values(), *PROVERS, *REQUESTERS, "treasury")
KINSHIP = [("tuned", "root"), ("merge", "root"), ("merge", "tuned")]

ALONE = [
    Order("cheap", "rosa", "root", 1_000_003, 3_500_009, "pia", 0),
    Order("dear", "ravi", "root", 12_000_017, 14_900_003, "paul", 1),
    Order("steady", "rosa", "tuned", 2_345_679, 2_345_679, "pia", 2),
    Order("rising", "ravi", "tuned", 500_009, 9_999_991, "paul", 3),
    Order("merged", "rosa", "merge", 1_300_021, 2_600_003, "pia", 4),
    Order("merged dear", "ravi", "merge", 10_000_019, 11_000_027, "paul", 5),
]
MANY = [
    Order("one of many", "rosa", "root", 700_001, 1_900_037, "paul", 6),
    Order("two of many", "ravi", "tuned", 800_011, 1_700_021, "paul", 7),
    Order("three of many", "rosa", "merge", 900_007, 1_500_041, "paul", 8),
    Order("four of many", "ravi", "merge", 1_000_033, 1_300_021, "paul", 9),
]
BATCH = [
    Order("first of batch", "rosa", "root", 1_100_009, 2_200_003, "paul", 10),
    Order("second of batch", "ravi", "root", 1_200_007, 2_100_001, "paul", 11),
]
LATE = Order("late", "rosa", "tuned", 1_500_007, 2_500_013, "pia", 12)
TAKEN_OVER = Order("taken over", "ravi", "merge", 2_000_003, 4_000_037, "pia", 13)
FORGOTTEN = Order("forgotten", "rosa", "merge", 13_000_009, 15_000_013, "paul", 14)
UNNOTICED = Order("unnoticed", "ravi", "tuned", 1_000_003, 1_000_019, "", 15)
UNWANTED = Order("unwanted", "rosa", "root", 2_000_003, 3_000_017, "", 16)
CLAIMED = [*ALONE, *MANY, *BATCH, LATE, TAKEN_OVER, FORGOTTEN]
DRAWS = [
    Draw("rosa's", "merge", "pia", 777_781, 1_234_567, 17),
    Draw("rosa's", "merge", "pia", 800_003, 2_000_003, 18),
    Draw("rosa's", "merge", "pia", 777_787, 999_983, 19),
    Draw("rosa's", "merge", "pia", 1_000_003, 1_499_977, 20),
    Draw("ravi's", "tuned", "paul", 450_001, 2_345_677, 21),
    Draw("ravi's", "tuned", "paul", 400_009, 1_777_777, 22),
]
PAID_JOBS, PAID_REQUESTS = len(CLAIMED) - 1, len(DRAWS)


# --- the script ------------------------------------------------------------------------------------


def open_and_claim(desk: Desk) -> None:
    """Open everything, and claim at ever later offers."""
    for order in (*CLAIMED, UNNOTICED, UNWANTED):
        desk.open(order, ramp_seconds=0 if order.name == "cheap" else 1_000)
    desk.open_tab("rosa's", "rosa", "merge", "pia", 20_000_003)
    desk.open_tab("ravi's", "ravi", "tuned", "paul", 9_000_011)
    for order in CLAIMED:
        desk.claim(order)
        desk.wait(83)


def check_no_proof_no_pay(desk: Desk) -> None:
    """Check that claims alone earn nobody anything, and that only its own proof settles a job."""
    world, ledger = desk.world, desk.world.market.ledger
    for name in (*OWNERS.values(), *PROVERS, "treasury"):
        assert ledger.credits_of(world.address(name)) == 0
        with pytest.raises(MarketError):
            ledger.withdraw(world.keys[name])
    for model in OWNERS:
        assert tuple(ledger.income_of(world.model_id(model))) == (0, 0, 0)
        with pytest.raises(MarketError):
            ledger.claim_owner(world.keys[OWNERS[model]], world.model_id(model))
        with pytest.raises(MarketError):
            ledger.collect_platform(world.keys["treasury"], [world.model_id(model)])
    for child, ancestor in KINSHIP:
        with pytest.raises(MarketError):
            ledger.claim_lineage(world.keys["stranger"], world.model_id(child), world.model_id(ancestor))
    own, merged, tuned = (desk.proof(order) for order in (ALONE[0], ALONE[4], ALONE[2]))
    with pytest.raises(ProofRejectedError):
        desk.settle(ALONE[0], (*own[:2], merged[2]))
    with pytest.raises(ProofRejectedError):
        desk.settle(ALONE[0], (own[0], merged[1], own[2]))
    kindred = desk.proof(ALONE[2]._replace(model="root"))
    assert kindred[0] == tuned[0]
    with pytest.raises(ProofRejectedError, match="Weights" if world.has_committed_weights else "."):
        desk.settle(ALONE[2], kindred)
    if world.system.binds_context:
        with pytest.raises(ProofRejectedError):
            desk.settle(ALONE[0], desk.proof(ALONE[0], prover="paul"))
    with pytest.raises(NotClaimantError):
        desk.settle(ALONE[0], own, prover="paul")


def settle_in_time(desk: Desk) -> None:
    """Settle alone, together, by one proof for two, and from tabs."""
    for order in ALONE:
        desk.settle(order, desk.proof(order))
    desk.settle_many(MANY, [desk.proof(order) for order in MANY])
    desk.settle_two(*BATCH)
    desk.cancel(UNWANTED)
    for draw in DRAWS:
        desk.draw(draw, draw.tab.removesuffix("'s"))


def be_late(desk: Desk) -> None:
    """Settle a late job that nobody took, take another over, and let the rest expire."""
    manager = desk.world.market.manager
    desk.wait(CLAIM_SECONDS)
    assert manager.status_on_chain(desk.jobs[LATE.name]) is JobStatus.LATE
    desk.settle(LATE, desk.proof(LATE))
    desk.take_over(TAKEN_OVER, "paul")
    assert manager.status_on_chain(desk.jobs[TAKEN_OVER.name]) is JobStatus.GRACE
    proved = desk.proof(TAKEN_OVER, prover="paul")
    with pytest.raises(NotClaimantError):
        desk.settle(TAKEN_OVER, proved, prover="paul")
    desk.wait(manager.terms().grace_seconds + 1)
    desk.settle(TAKEN_OVER, proved, prover="paul")
    desk.close_tab("ravi's", "paul")
    desk.wait(JOB_SECONDS)
    desk.refund(FORGOTTEN)
    desk.refund(UNNOTICED)
    desk.close_tab("rosa's", "stranger")


def pull(desk: Desk) -> None:
    """Have everybody take what the ledger owes them now."""
    world, ledger = desk.world, desk.world.market.ledger
    anyone = world.keys["stranger"]
    for child, ancestor in KINSHIP:
        if ledger.lineage_due(world.model_id(child), world.model_id(ancestor)):
            ledger.claim_lineage(anyone, world.model_id(child), world.model_id(ancestor))
    for model in OWNERS:
        if ledger.holders_due(world.model_id(model)):
            ledger.claim_owner(anyone, world.model_id(model))
    ledger.collect_platform(anyone, [world.model_id(model) for model in OWNERS])
    for name in TRADERS:
        if ledger.credits_of(world.address(name)):
            ledger.withdraw(world.keys[name])


def leave(desk: Desk) -> None:
    """Have the provers take their stakes, and send forfeits where they belong."""
    world, provers = desk.world, desk.world.market.provers
    for name in PROVERS:
        provers.request_unstake(world.keys[name], provers.stake_of(world.address(name)).free)
    desk.wait(UNSTAKE_DELAY_SECONDS + 1)
    for name in PROVERS:
        provers.unstake(world.keys[name])
    provers.burn_forfeits(world.keys["stranger"])
    provers.collect_forfeits(world.keys["stranger"])


@pytest.fixture(scope="module", params=SYSTEMS)
def ended(request, tmp_path_factory) -> Iterator[Desk]:
    """Run the whole economy once, in whose middle everybody pulls, too."""
    with open_world(tmp_path_factory.mktemp("economy"), system=request.param) as world:
        desk = Desk(world)
        open_and_claim(desk)
        check_no_proof_no_pay(desk)
        settle_in_time(desk)
        pull(desk)
        be_late(desk)
        pull(desk)
        leave(desk)
        yield desk


# --- the paper -------------------------------------------------------------------------------------


def paper_models() -> dict[str, Model]:
    """Return the three models as the paper market knows them."""
    return {
        name: Model(
            owner=OWNERS[name],
            fee=max(terms.model_fee, terms.min_model_fee),
            least_part_ppm=terms.min_model_fee_ppm,
            parents=dict(PARENTS[name]),
        )
        for name, terms in FEES.items()
    }


def replay(desk: Desk, rules: Rules = RULES, models: dict[str, Model] | None = None) -> PaperMarket:
    """Repeat the notes on paper, up to where everybody pulls."""
    paper = PaperMarket(rules)
    paper.models |= models or paper_models()
    paper.wallets.update(PURSES)
    for name in PROVERS:
        paper.stake(name, STAKE)
    for move in desk.notes:
        getattr(paper, move.name)(*move.arguments, **move.named)
    return paper


def on_paper(desk: Desk, rules: Rules = RULES, models: dict[str, Model] | None = None) -> dict[str, int]:
    """Return what everybody and every contract holds in the end, by the paper market."""
    paper = replay(desk, rules, models)
    paper.everybody_pulls("treasury")
    contracts = {"ledger": paper.waiting(), "provers": 0, "manager": 0, "burned": paper.burned}
    return {name: paper.wallets[name] for name in TRADERS} | contracts


def on_chain(world: World) -> dict[str, int]:
    """Return the token balances of everybody and every contract."""
    market = world.market
    places = {name: world.address(name) for name in TRADERS} | {
        "ledger": market.ledger.address,
        "provers": market.provers.address,
        "manager": market.manager.address,
        "burned": BURN_ADDRESS,
    }
    return {name: market.token.balance_of(address) for name, address in places.items()}


# --- the claims ------------------------------------------------------------------------------------


def test_economy__twenty_paid_inferences__everybody_holds_what_the_paper_says(ended):
    """I1, I6: after every way to pay and to fail, all balances are the paper market's to the last unit."""
    market = ended.world.market
    requests = [
        settled for tab in ended.tabs.values() for settled in market.tabs.events.requests_settled(tab)
    ]
    assert (len(list(market.manager.events.settlements())), len(requests)) == (PAID_JOBS, PAID_REQUESTS)
    assert PAID_JOBS + PAID_REQUESTS == 20
    assert len(list(market.manager.events.reclaims())) == 1
    ends = Counter(market.manager.status_on_chain(job) for job in ended.jobs.values())
    assert ends == {JobStatus.SETTLED: PAID_JOBS, JobStatus.REFUNDED: 2, JobStatus.CANCELLED: 1}

    found = on_chain(ended.world)
    assert found == on_paper(ended)
    supply = int(market.token.contract.call("totalSupply"))
    assert sum(found.values()) == supply == sum(PURSES.values())
    assert all(found[owner] > 0 for owner in OWNERS.values())
    assert found["burned"] > 0
    assert found["ledger"] < len(KINSHIP)


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Rules)])
def test_economy__paper_of_another_rule__disagrees(ended, field):
    """The script feels a single unit in every rule: of platform, collateral, bonus and treasury."""
    changed = dataclasses.replace(RULES, **{field: getattr(RULES, field) + 1})
    assert on_paper(ended, changed) != on_chain(ended.world)


@pytest.mark.parametrize(
    ("model", "change"),
    [
        ("root", {"fee": FEES["root"].model_fee + 1}),
        ("tuned", {"least_part_ppm": FEES["tuned"].min_model_fee_ppm + 1}),
        ("merge", {"parents": {"root": 100_001, "tuned": 250_000}}),
        ("tuned", {"parents": {"root": 200_004}}),
        ("merge", {"owner": "ben"}),
    ],
)
def test_economy__paper_of_other_models__disagrees(ended, model, change):
    """The script feels a single unit in a model's fee, its least part and its lineage, and whose it is."""
    models = paper_models()
    models[model] = dataclasses.replace(models[model], **change)
    assert on_paper(ended, models=models) != on_chain(ended.world)


def test_economy__three_models_of_one_architecture__share_verifier_and_where_committed_the_key(ended):
    """Derivatives need no verifier of their own; with committed weights, not even a key, but other commitments."""
    world = ended.world
    specs = [world.published[model].circuit.spec for model in OWNERS]
    keys = {spec.verifying_key_digest for spec in specs}
    commitments = {spec.weight_commitment for spec in specs}
    expected = (1, len(OWNERS)) if world.has_committed_weights else (len(OWNERS), 1)
    assert (len(keys), len(commitments)) == expected
    chain = world.market.chain
    found = [DeployedVerifier(spec, chain.code, chain_id=chain.chain_id) for spec in specs]
    assert {verifier.kind for verifier in found} == {"shared"}
    assert len({verifier.inner_address for verifier in found}) == 1


def test_economy__lineage__is_the_product_along_every_path(ended):
    """A grandparent's part is the sum over all paths of the product of the rates."""
    world = ended.world
    shares = {share.model_id: share.ppm for share in world.market.lineage.shares_of(world.model_id("merge"))}
    assert shares == {world.model_id("root"): 100_000 + 250_000 // 5, world.model_id("tuned"): 200_000}


def test_economy__command_line__shows_what_the_paper_says(ended):
    """`zkml lineage show` draws the kinship, and `zkml revenue show` the very sums."""
    world, paper = ended.world, replay(ended)

    def show(noun, model, *options):
        where = ("--rpc-url", world.market.chain.endpoint)
        run = zkml(world.home.root, noun, "show", f"{world.model_id(model):#066x}", *options, *where)
        assert run.returncode == 0, run.stderr
        return run.stdout

    drawing = show("lineage", "merge")
    assert all(name in drawing for name in OWNERS)
    for model in ("tuned", "merge"):
        shown = json.loads(show("revenue", model, "--json"))
        assert shown["income"]["revenue"]["units"] == str(paper.models[model].earned)
        shares = {ancestor["model_id"]: ancestor["ppm"] for ancestor in shown["ancestors"]}
        expected = {f"{world.model_id(name):#066x}": ppm for name, ppm in paper.shares(model).items()}
        assert shares == expected
