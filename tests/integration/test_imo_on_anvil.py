"""Offerings by command on a real node with the real contracts: sold, resold, locked, released, defaulted, failed."""

import pytest
from chain_fixtures import ONE_TOKEN
from ezkl_circuits import lab, octet_lab
from imo_lab import BOND, PUBLIC, RAISE, TERMS, asker, start_stage

from zkml.cli.main import run
from zkml.core.artifact_encryption import ArtifactKey
from zkml.core.identifiers import DerivativeTerms

pytestmark = pytest.mark.integration

EARNED = ONE_TOKEN - ONE_TOKEN * 25_000 // 1_000_000
"""What one job leaves of the model's fee after the platform's part."""


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    """One chain for this module."""
    with start_stage(tmp_path_factory.mktemp("imo")) as found:
        yield found


@pytest.fixture
def ask(stage, capsys):
    """Run a command with --json and return its one object."""
    return asker(stage, capsys)


def opened(stage, ask, name, **sealed):
    """Open an offering of a fresh model of Cara's, guarded by Gus; return its number and the model."""
    model = stage.sealed_model(name, "cara", **sealed)
    words = ("imo", "open", f"{model:#066x}", *TERMS, "--guardian", stage.person("gus"))
    return ask(*words, who="cara")["offering"], model


def sold(stage, ask, name):
    """Open an offering and sell it: 30 shares to Ann, the rest to Ben."""
    number, model = opened(stage, ask, name)
    ask("imo", "reserve", str(number), "--shares", "30", who="ann")
    ask("imo", "reserve", str(number), "--shares", str(PUBLIC - 30), who="ben")
    return number, model


def show(units):
    return f"{units / ONE_TOKEN:.6f} zUSD"


def to_wallets(taken):
    """Return what the effects of moves say that arrives in wallets."""
    flows = [flow for found in taken for flow in found["effects"]["flows"]]
    return sum(int(flow["amount"]) for flow in flows if flow["to"].startswith("wallet of"))


def status(ask, number):
    return ask("imo", "show", str(number))["status"]


def test_imo_open__shown_first_then_once(stage, ask, tmp_path):
    """A dry run shows both approvals and what opening moves; the move happens once, and other terms are refused."""
    model = stage.sealed_model("first", "cara")
    words = ("imo", "open", f"{model:#066x}", *TERMS, "--guardian", stage.person("gus"))
    height = stage.market.chain.height()
    planned = ask(*words, "--dry-run", who="cara")
    assert stage.market.chain.height() == height
    functions = [found["function"] for found in planned["transactions"]]
    assert functions == [
        "ModelRegistry.approve",
        "LocalPaymentToken.approve",
        "InitialModelOffering.open",
    ]
    assert planned["transactions"][1]["arguments"]["value"] == BOND
    (flow,) = planned["transactions"][2]["effects"]["flows"]
    assert flow["amount"] == str(BOND)
    assert planned["terms"]["raise"] == "102.000000 zUSD"
    assert (planned["terms"]["seed_shares"], planned["terms"]["vesting_shares"]) == ("2.55", "46.45")
    path = tmp_path / "terms.toml"
    path.write_text(
        'total_shares = 100\nprice = "2"\nmodel_fee = "1"\nwindow = "1d"\nvesting = "90d"\n'
        f'guardian = "{stage.person("gus")}"\n'
    )
    by_file = ask(*words[:3], "--terms", str(path), "--dry-run", who="cara")
    assert by_file == planned
    found = ask(*words, who="cara")
    assert found["opened_now"] is True
    assert "fixed weights" in ask.said.err
    again = ask(*words, who="cara")
    assert (again["offering"], again["opened_now"]) == (found["offering"], False)
    other = ask(*words, "--bond", "90", who="cara", code=1)["error"]
    assert other["type"] == "InvalidTransitionError"
    assert stage.market.registry.owner_of(model) == found["steward"]
    assert status(ask, found["offering"]) == "OPEN"


def test_imo_open__by_who_is_no_owner_or_on_bad_terms__nothing_is_sent(stage, ask):
    """What opening would be refused for is said before any approval is sent."""
    model = stage.sealed_model("second", "cara")
    words = ("imo", "open", f"{model:#066x}", *TERMS)
    stage.person("eve")
    height = stage.market.chain.height()
    refused = ask(*words, "--guardian", stage.person("gus"), who="eve", code=1)["error"]
    assert refused["type"] == "NotOwnerError"
    refused = ask(*words, "--guardian", stage.person("cara"), who="cara", code=1)["error"]
    assert "guardian other than the creator" in refused["message"]
    refused = ask(*words, "--guardian", stage.person("gus"), "--vesting", "89d", who="cara", code=1)["error"]
    assert "vesting_seconds" in refused["message"]
    assert stage.market.chain.height() == height
    market = stage.market
    market.registry.set_derivative_terms(
        stage.people["cara"], model, DerivativeTerms(derivatives_allowed=False)
    )
    refused = ask(*words, "--guardian", stage.person("gus"), who="cara", code=1)["error"]
    assert "--allow" in refused["hint"]
    unsealed = f"{stage.built.model_id:#066x}"
    (stage.home.keys / "deployer.key").write_text("0x" + stage.built.deployer.key.hex().removeprefix("0x"))
    (stage.home.keys / "deployer.key").chmod(0o600)
    stage.people["deployer"] = stage.built.deployer
    refused = ask("imo", "open", unsealed, *TERMS, who="deployer", code=1)["error"]
    assert "--seal" in refused["hint"]


def test_imo__sold_resold_and_never_released__holders_get_money_and_bond(stage, ask):
    """From open over resale, lock and reveal to an overdue default: every unit is where it belongs."""
    token = stage.market.token
    idle = token.balance_of(stage.market.offerings.address)
    number, model = opened(stage, ask, "third")
    one = str(number)
    planned = ask("imo", "reserve", one, "--shares", "30", "--dry-run", who="ann")
    functions = [found["function"].partition(".")[2] for found in planned["transactions"]]
    assert functions == ["approve", "reserve"]
    assert planned["transactions"][0]["arguments"]["value"] == 60 * ONE_TOKEN
    before = token.balance_of(stage.person("ann"))
    found = ask("imo", "reserve", one, "--shares", "30", who="ann")
    assert (found["reserved"], found["cost"], found["left"]) == (30, "60.000000 zUSD", PUBLIC - 30)
    assert before - token.balance_of(stage.person("ann")) == 60 * ONE_TOKEN
    assert ask("imo", "reserve", one, "--shares", "30", who="ben", code=1)["error"]["type"] == "MarketError"
    found = ask("imo", "reserve", one, "--shares", "30", "--at-least", "1", who="ben")
    assert (found["reserved"], found["status"]) == (PUBLIC - 30, "SOFT_LOCKED")

    ask("imo", "resell", one, "--shares", "31", who="ann", code=1)
    assert ask("imo", "resell", one, "--shares", "10", who="ann")["on_resale"] == 10
    assert ask("imo", "resell", one, "--shares", "10", who="ann")["transaction"] is None
    shown = ask("imo", "show", f"{model:#066x}", "--account", stage.person("ann"))
    assert shown["resales"] == {stage.person("ann"): 10}
    assert shown["account"]["reservation"] == 30
    assert shown["times"]["unlocks"]["text"].endswith(("00:00:00 PST)", "00:00:00 PDT)"))
    assert "reveal" in shown["next"][0]["command"]
    found = ask("imo", "buy", one, "--shares", "10", who="dan")
    assert (found["bought"], found["seller"], found["cost"]) == (10, stage.person("ann"), "20.000000 zUSD")

    prover = stage.built.enrolled()
    ask("steward", "grant", one, prover.address, who="cara")
    stage.earn(model, 1, prover)
    stage.pass_to(shown["times"]["status_ends"]["timestamp"] + 1)
    assert status(ask, number) == "OVERDUE"
    assert ask("imo", "reveal", one, who="cara", code=1)["error"]["type"] == "InvalidTransitionError"
    planned = ask("imo", "default", one, "--dry-run", who="eve")
    moved = [flow["from"] for flow in planned["transactions"][0]["effects"]["flows"]]
    assert f"bond of offering {number}" in moved
    assert ask("imo", "default", one, who="eve")["cause"] == "OVERDUE"
    assert ask("imo", "default", one, who="eve")["transaction"] is None

    paid = 0
    for who in ("ann", "ben", "dan"):
        before = token.balance_of(stage.person(who))
        taken = ask("imo", "claim", one, who=who)["taken"]
        moves = [found["move"].partition(".")[2] for found in taken]
        assert moves == ["repay", "withdraw", "claimShares", "withdraw"]
        received = token.balance_of(stage.person(who)) - before
        assert received == to_wallets(taken)
        paid += received
        assert ask("imo", "claim", one, who=who)["taken"] == []
    assert token.balance_of(stage.market.offerings.address) == idle
    # Each of three holders and the vault leaves less than a unit of income behind.
    assert 0 <= RAISE + 20 * ONE_TOKEN + BOND + EARNED - paid < 4
    assert ask("imo", "claim", one, who="cara")["received"] == "0.000000 zUSD"


def test_imo__revealed_and_right__is_not_refuted_and_releases(stage, ask):
    """Every chunk is right, so nothing is sent against it; a fresh proof releases bond, pool and vesting."""
    number, model = sold(stage, ask, "fourth")
    one, market = str(number), stage.market
    key = market.registry.commitment_of(model).key_commitment
    assert any(key)
    planned = ask("imo", "reveal", one, "--dry-run", who="cara")
    assert "not shown" in str(planned)
    assert ask("imo", "reveal", one, who="cara")["status"] == "REVEALED"
    secret = market.offerings.facts(number).key.hex()
    assert secret not in str(planned)
    assert ask("imo", "reveal", one, who="cara")["transaction"] is None
    stage.person("eve")
    height = market.chain.height()
    found = ask("imo", "challenge", one, who="eve")
    assert (found["wrong_chunk"], found["chunks"], found["transaction"]) == (None, 3, None)
    assert market.chain.height() == height

    proof = str(stage.release_proof(number))
    words = ("imo", "finalize", one, "--proof", proof)
    assert ask(*words, who="eve", code=1)["error"]["type"] == "InvalidTransitionError"
    stage.pass_to(market.offerings.releasable_at(number))
    planned = ask(*words, "--dry-run", who="eve")
    assert planned["releases"]["bond"] == "10.200000 zUSD"
    assert planned["releases"]["seed_shares"] == ask("imo", "show", one)["seed"]["shares"] == "2.55"
    found = ask(*words, who="eve")
    assert (found["status"], found["pool_money"], found["pool_shares"]) == (
        "TRADING",
        "5.100000 zUSD",
        "2.55",
    )
    assert ask(*words, who="eve")["transaction"] is None

    stage.earn(model, 2, stage.built.enrolled())
    stage.pass_to(market.chain.now() + 45 * 86_400)
    planned = ask("imo", "claim", one, "--dry-run", who="cara")
    before = market.token.balance_of(stage.person("cara"))
    taken = [found["move"] for found in ask("imo", "claim", one, who="cara")["taken"]]
    assert taken == [found["function"] for found in planned["transactions"]]
    assert {"CreatorVault.payVested", "CreatorVault.payIncome", "InitialModelOffering.withdraw"} <= set(taken)
    gained = market.token.balance_of(stage.person("cara")) - before
    assert gained > BOND + (RAISE - RAISE // 20) // 2
    taken = [found["move"] for found in ask("imo", "claim", one, who="ann")["taken"]]
    assert taken[-2:] == ["RevenueLedger.claimShares", "RevenueLedger.withdraw"]
    assert ask("imo", "show", one)["release"]["pool_price"] == "2.000000 zUSD"
    pooled = ask("steward", "return-income", one, "--dry-run", who="eve")["transactions"]
    assert [found["function"] for found in pooled] == ["ModelToken.returnPoolIncome"]
    assert ask("steward", "return-income", one, who="eve")["returned"] == show(EARNED * 255 // 10_000)
    _decide(stage, ask, number, model)
    stage.pass_to(market.offerings.vault_of(market.offerings.facts(number)).vesting().liquidity_at)
    taken = [found["move"] for found in ask("imo", "claim", one, who="cara")["taken"]]
    assert {"CreatorVault.payVested", "CreatorVault.payLiquidity"} <= set(taken)
    assert ask("imo", "show", one)["release"]["due_money"] == "0.000000 zUSD"


def _decide(stage, ask, number, model):
    """Retire a traded model by its holders' vote."""
    one, now = str(number), stage.market.chain.now
    assert ask("steward", "set-fee", one, "--model-fee", "1.5", who="cara")["transaction"]
    assert ask("steward", "show", one)["model_fee"] == "1.500000 zUSD"
    shown = ask("imo", "show", one)
    fees = [shown[name] for name in ("model_fee", "min_model_fee", "max_model_fee")]
    assert fees == ["1.500000 zUSD", "1.000000 zUSD", "10.000000 zUSD"]
    assert shown["min_model_fee_ppm"] == 100_000
    assert ask("steward", "set-fee", one, "--model-fee", "11", who="cara", code=1)
    assert (
        ask("steward", "successor", one, f"{model:#066x}", who="eve", code=1)["error"]["type"]
        == "MarketError"
    )
    for who in ("ann", "ben"):
        assert ask("steward", "delegate", one, who=who)["transaction"]
    assert ask("steward", "delegate", one, who="ann")["transaction"] is None
    stage.pass_to(now() + 2)
    assert ask("steward", "propose", one, "open", who="ann", code=1)["error"]["type"] == "MarketError"
    assert ask("steward", "propose", one, "retire", "--dry-run", who="ann")["dry_run"] is True
    motion = str(ask("steward", "propose", one, "retire", who="ann")["motion"])
    stage.pass_to(now() + 2)
    assert ask("steward", "vote", one, motion, who="dan", code=1)["error"]["type"] == "MarketError"
    assert ask("steward", "vote", one, motion, who="ann")["majority"] is False
    assert ask("steward", "vote", one, motion, who="ann")["transaction"] is None
    assert ask("steward", "carry", one, motion, who="ann", code=1)
    ask("steward", "vote", one, motion, who="ben")
    shown = ask("steward", "show", one, "--account", stage.person("ben"))
    assert (shown["account"]["shares"], shown["account"]["votes"]) == ("21", "21")
    (found,) = shown["motions"]
    assert found["majority"] is True
    assert (found["support"], 76 < float(found["eligible"]) < 78) == ("51", True)
    assert ask("steward", "carry", one, motion, who="eve")["state"] == "CARRIED"
    assert ask("registry", "show", f"{model:#066x}")["status"] == "DEPRECATED"


def test_imo_challenge__of_a_file_under_another_key__takes_the_bond(stage, ask):
    """A reveal that does not open what was sold is refuted by one chunk, and the holders share the bond."""
    market = stage.market
    model = stage.sealed_model("junk", "cara", opened_by=ArtifactKey(b"\x07" * 32))
    words = ("imo", "open", f"{model:#066x}", *TERMS, "--guardian", stage.person("gus"))
    assert ask(*words, who="cara", code=1)["error"]["type"] == "DigestMismatchError"
    number = stage.open_anyway(model, "cara", "gus")
    one = str(number)
    ask("imo", "reserve", one, "--shares", str(PUBLIC), who="ben")
    assert ask("imo", "reveal", one, who="cara", code=3)["error"]["type"] == "BindingError"
    assert ask("imo", "reveal", one, "--unchecked", who="cara")["status"] == "REVEALED"
    planned = ask("imo", "challenge", one, "--dry-run", who="eve")
    assert planned["transactions"][0]["function"] == "InitialModelOffering.challenge"
    found = ask("imo", "challenge", one, who="eve")
    assert (found["wrong_chunk"], found["status"]) == (0, "DEFAULTED")
    before = market.token.balance_of(stage.person("ben"))
    ask("imo", "claim", one, who="ben")
    assert market.token.balance_of(stage.person("ben")) - before == RAISE + BOND


def test_imo__not_sold_out__everybody_is_paid_back(stage, ask):
    """After the window holders get their money, and the creator model, bond and what the model earned."""
    number, model = opened(stage, ask, "fifth")
    one, market = str(number), stage.market
    ask("imo", "reserve", one, "--shares", "5", who="ann")
    prover = stage.built.enrolled()
    ask("steward", "grant", one, prover.address, who="cara")
    stage.earn(model, 5, prover)
    # No block is mined: a local chain's clock runs on, and its last block stays old.
    left = market.offerings.facts(number).closes_at - market.chain.now()
    market.chain.send_once("evm_increaseTime", [left + 1])
    assert status(ask, number) == "FAILED"
    refused = ask("imo", "reserve", one, "--shares", "5", who="ann", code=1)["error"]
    assert refused["type"] == "InvalidTransitionError"
    words = ("imo", "open", f"{model:#066x}", *TERMS, "--guardian", stage.person("gus"))
    assert "imo claim" in ask(*words, who="cara", code=1)["error"]["hint"]
    assert ask("imo", "claim", one, who="ann")["received"] == "10.000000 zUSD"
    found = ask("imo", "claim", one, who="cara")
    moves = [taken["move"].partition(".")[2] for taken in found["taken"]]
    assert (moves, found["received"]) == (["payOwnerIncome", "close", "withdraw"], "11.175000 zUSD")
    assert market.registry.owner_of(model) == stage.person("cara")
    assert ask(*words, who="cara")["offering"] == number + 1
    listed = ask("imo", "list", "--model", f"{model:#066x}", "--creator", stage.person("cara"))["offerings"]
    assert [(found["offering"], found["status"]) for found in listed] == [
        (number, "FAILED"),
        (number + 1, "OPEN"),
    ]


def test_imo__tombstoned__is_not_sold_and_defaults_with_the_bond_back(stage, ask):
    """Nobody buys an offering whose circuit is unsafe, and one that is sold ends at once, without a forfeit."""
    number, model = sold(stage, ask, "tombstoned")
    other, sibling = opened(stage, ask, "sibling")
    ask("imo", "reserve", str(other), "--shares", "1", who="ann")
    ask("imo", "resell", str(other), "--shares", "1", who="ann")
    for found in (model, sibling):
        circuit = stage.market.registry.commitment_of(found).circuit_id
        stage.market.router.tombstone(stage.built.deployer, circuit, "forged proofs are known")
    for move in ("reserve", "buy"):
        refused = ask("imo", move, str(other), "--shares", "1", who="ben", code=1)["error"]
        assert refused["type"] == "TombstonedError"
    assert [move["command"] for move in ask("imo", "show", str(other))["next"]] == [f"zkml imo claim {other}"]
    found = ask("imo", "claim", str(other), who="ann")
    assert [taken["move"].partition(".")[2] for taken in found["taken"]] == ["close", "repay", "withdraw"]
    assert found["received"] == "2.000000 zUSD"
    assert ask("imo", "claim", str(other), who="cara")["received"] == "10.200000 zUSD"
    assert [move["command"] for move in ask("imo", "show", str(number))["next"]] == [
        f"zkml imo default {number}"
    ]
    assert ask("imo", "default", str(number), who="eve")["cause"] == "TOMBSTONED"
    assert ask("imo", "claim", str(number), who="cara")["received"] == "10.200000 zUSD"
    assert ask("imo", "claim", str(number), who="ann")["received"] == "60.000000 zUSD"


def test_imo_reserve__interrupted_after_sending__is_not_made_twice(stage, ask, monkeypatch):
    """A run that dies before it hears of its transaction buys nothing more when it is run again."""
    number, _ = opened(stage, ask, "sixth")
    words = ("imo", "reserve", str(number), "--shares", "3")

    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("zkml.cli.imo_journal._Records.finish", die)
        assert run(stage.argv(*words, who="ann")) == 130
    found = ask(*words, who="ann")
    assert (found["reserved"], found["reservation"]) == (3, 3)
    assert "nothing was bought again" in ask.said.err
    assert ask(*words, who="ann")["reservation"] == 6


def test_imo_reserve__without_the_sealed_file__is_refused_unless_unchecked(stage, ask, tmp_path):
    """Who has not the file is told so before paying, and can only go on knowingly."""
    number, _ = opened(stage, ask, "seventh")
    words = ("imo", "reserve", str(number), "--shares", "1", "--home", str(stage.home.root))
    stranger = tmp_path / "sealed"
    stranger.write_bytes(b"another file")
    assert ask(*words, "--sealed", str(stranger), who="ann", code=1)["error"]["type"] == "FormatError"
    ask(*words, "--unchecked", who="ann")
    assert "was not checked" in ask.said.err


def test_imo_default__by_the_guardian__ends_a_revealed_offering(stage, ask):
    """The guardian's word defaults an offering while it can be refuted; nobody else's does."""
    number, _ = sold(stage, ask, "eighth")
    one = str(number)
    ask("imo", "reveal", one, who="cara")
    words = ("imo", "default", one, "--reason", "another key was rebuilt")
    assert ask(*words, who="eve", code=1)["error"]["type"] == "NotOwnerError"
    assert ask(*words, who="gus")["cause"] == "GUARDIAN"
    assert ask("imo", "show", one)["default"]["reason"] == "another key was rebuilt"


@pytest.mark.parametrize("made", [lab, octet_lab], ids=["ezkl", "octet"])
def test_imo_finalize__from_a_bundle__proves_verifies_and_releases(made, stage, ask, monkeypatch):
    """A real circuit is published sealed and sold; its release is proved here once, and kept if interrupted."""
    bundle = str(made().bundle.path)
    stage.person("pat")
    words = ("registry", "register", bundle, "--seal", "--model-fee", "1")
    model = ask(*words, who="pat")["model_id"]
    one = str(ask("imo", "open", model, *TERMS, "--guardian", stage.person("gus"), who="pat")["offering"])
    ask("imo", "reserve", one, "--shares", str(PUBLIC), who="ben")
    assert "not in this home" not in ask.said.err
    ask("imo", "reveal", one, who="pat")
    stage.pass_to(stage.market.offerings.releasable_at(int(one)))
    words = ("imo", "finalize", one, "--bundle", bundle)
    assert ask(*words, "--dry-run", who="eve")["transactions"][0]["function"].endswith(".finalize")
    monkeypatch.setattr("circuits.single_proof.prove_input", None)
    found = ask(*words, who="eve")
    assert (found["status"], found["pool_shares"]) == ("TRADING", "2.55")
    assert "a proof that was made before is used" in ask.said.err
