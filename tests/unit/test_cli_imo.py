"""What commands about offerings read, print and refuse before they ask any chain."""

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest

from marketplace.tokens import parse_amount
from verifier_contracts.terms import OfferingRules
from zkml.cli.imo_next import NextMove, moves_as_json, next_moves
from zkml.cli.imo_session import parse_offering, part_of_share, whole_shares
from zkml.cli.imo_terms import WrittenTerms, complete_terms, read_terms_file
from zkml.cli.imo_times import describe_span, describe_time, pacific_offset, parse_span
from zkml.core.artifact_encryption import Artifact
from zkml.core.identifiers import FeeTerms, ModelCommitment
from zkml.core.offering_machine import OfferingFacts, OfferingOutcome
from zkml.errors import ArtifactNotFoundError, ConfigError

CREATOR, GUARDIAN, ZERO = "0x" + "11" * 20, "0x" + "22" * 20, "0x" + "00" * 20
RULES = OfferingRules(challenge_seconds=60, grace_seconds=600)
ARTIFACT = Artifact(b"\x01" * 32, b"\x02" * 32, 10_000)
CLOSES, SOLD, UNLOCKS = 10_000, 9_000, 20_000
OPEN = OfferingFacts(
    offering_id=3,
    model_id=7,
    creator=CREATOR,
    public_shares=51,
    seed_ppm=50_000,
    guardian=GUARDIAN,
    price=2_000_000,
    outcome=OfferingOutcome.NONE,
    fixed_weights=True,
    shares="0x" + "33" * 20,
    creator_shares=49,
    holiday_count=0,
    vault="0x" + "44" * 20,
    reserved=21,
    vesting_seconds=100,
    steward="0x" + "55" * 20,
    lp_lock_seconds=100,
    successor_rate_ppm=100_000,
    bond=1,
    bonus=0,
    closes_at=CLOSES,
    soft_locked_at=0,
    unlock_at=0,
    revealed_at=0,
    max_model_fee=1,
    unpaid=0,
    seed=bytes(32),
    key=bytes(32),
    artifact=ARTIFACT,
)
LOCKED = replace(OPEN, reserved=51, soft_locked_at=SOLD, unlock_at=UNLOCKS)
REVEALED = replace(LOCKED, revealed_at=SOLD + 1)


def commands_of(facts, now, **more):
    return [move.command.split(" 3")[0] for move in next_moves(facts, RULES, now, **more)]


@pytest.mark.parametrize(
    ("timestamp", "text"),
    [
        (1_793_523_599, "2026-11-01 08:59:59 UTC (Sun 01:59:59 PDT)"),
        (1_793_523_600, "2026-11-01 09:00:00 UTC (Sun 01:00:00 PST)"),
        (1_772_963_999, "2026-03-08 09:59:59 UTC (Sun 01:59:59 PST)"),
        (1_772_964_000, "2026-03-08 10:00:00 UTC (Sun 03:00:00 PDT)"),
        (0, "-"),
        (2**64 - 1, "18446744073709551615"),
    ],
)
def test_describe_time__around_a_clock_change__names_hour_and_zone(timestamp, text):
    """A time is printed in UTC and in that of Los Angeles, to the second of a clock change."""
    assert describe_time(timestamp) == text


def test_pacific_offset__for_decades__is_that_of_the_time_zone_database():
    """Every eleven hours of fifty years, and around each New Year, the offset is the public database's."""
    zone, begin, end = ZoneInfo("America/Los_Angeles"), 1_735_689_600, 3_313_526_400
    turns = [
        int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) + hour
        for year in range(2026, 2070)
        for hour in (-1, 0)
    ]
    for timestamp in [*range(begin, end, 11 * 3600 + 1), *turns]:
        offset = datetime.fromtimestamp(timestamp, zone).utcoffset()
        assert offset is not None
        assert pacific_offset(timestamp) == -offset.total_seconds(), timestamp


def test_parse_span__units__and_nothing_else():
    """A span is a number and one unit."""
    assert [parse_span(text, "x") for text in ("90s", "10m", "12h", "30d", "2w")] == [
        90, 600, 43_200, 2_592_000, 1_209_600,
    ]  # fmt: skip
    for text in ("", "30", "d", "1.5d", "-1d", "1y", "1d 2h"):
        with pytest.raises(ConfigError, match="window"):
            parse_span(text, "window")


def test_describe_span__two_greatest_units():
    """A span is printed by its two greatest units."""
    assert [describe_span(found) for found in (0, 59, 3_600, 90_061, 2_592_000)] == [
        "0s", "59s", "1h", "1d 1h", "30d",
    ]  # fmt: skip


def test_shares__as_people_write_them():
    """Whole shares are counted; units are written without trailing zeros."""
    assert (whole_shares(1), whole_shares(2)) == ("1 share", "2 shares")
    assert part_of_share(2_550_000_000_000_000_000) == "2.55 shares"
    assert part_of_share(1) == "0.000000000000000001 shares"


def test_parse_offering__number_or_model():
    """An offering is named by its number, or by its model's id with 0x."""
    assert parse_offering("12") == (12, 0)
    assert parse_offering("0x" + "1f" * 32)[0] == 0
    assert parse_offering("0x10") == (0, 16)
    for text in ("0", "-1", "1.0", "x", "9" * 30, "²"):
        with pytest.raises(ConfigError):
            parse_offering(text)


def test_next_moves__of_each_status__are_what_the_contract_allows():
    """In each second people are told what they can do then, and until when."""
    passing = ["zkml imo resell", "zkml imo buy"]
    assert commands_of(OPEN, CLOSES) == ["zkml imo reserve", *passing]
    assert commands_of(OPEN, CLOSES, is_tombstoned=True) == ["zkml imo claim"]
    assert commands_of(OPEN, CLOSES + 1) == ["zkml imo claim", "zkml imo claim"]
    assert commands_of(replace(OPEN, outcome=OfferingOutcome.FAILED), CLOSES + 1) == ["zkml imo claim"]
    assert commands_of(LOCKED, UNLOCKS + 600) == ["zkml imo reveal", *passing]
    assert commands_of(LOCKED, UNLOCKS + 601) == ["zkml imo default"]
    assert commands_of(LOCKED, UNLOCKS, is_tombstoned=True) == ["zkml imo default"]
    judged = commands_of(REVEALED, UNLOCKS - 1)
    assert (judged[0], judged[-3:]) == ("zkml imo challenge", ["zkml imo finalize", *passing])
    assert commands_of(REVEALED, UNLOCKS) == ["zkml imo finalize", *passing]
    assert commands_of(REVEALED, UNLOCKS + 601) == ["zkml imo default"]
    traded = replace(REVEALED, outcome=OfferingOutcome.TRADING)
    assert commands_of(traded, UNLOCKS) == ["zkml imo claim", "zkml imo claim", "zkml steward show"]
    assert next_moves(replace(OPEN, creator=ZERO), RULES, 0) == []


def test_next_moves__as_json__can_be_read_back():
    """What --json prints of a move is all of it."""
    moves = next_moves(REVEALED, RULES, UNLOCKS - 1)
    assert [NextMove(**found) for found in moves_as_json(moves)] == moves
    assert moves[0].until == UNLOCKS - 1
    assert next(move for move in moves if "finalize" in move.command).until == UNLOCKS + 600


class _Registry:
    """A registry with one model."""

    def fee_terms_of(self, _model):
        return FeeTerms(model_fee=1_500_000)

    def commitment_of(self, _model):
        digests = [bytes(32)] * 5
        return ModelCommitment(
            (bytes(32),), *digests, 0, "cid", "Digits & more, v2 of \u00e9\u00e9\u00e9\u00e9", "MIT"
        )


MARKET = SimpleNamespace(
    token=SimpleNamespace(parse=lambda text: parse_amount(text, 6)),
    registry=_Registry(),
    deployment=SimpleNamespace(offering_rules=RULES),
)
LEAST = WrittenTerms(total_shares=1001, price="2", guardian=GUARDIAN)


def test_complete_terms__of_the_least__takes_rules_and_model():
    """What a creator leaves out is the deployment's least, or the model's own."""
    terms = complete_terms(LEAST, MARKET, 7, ARTIFACT)
    assert (terms.creator_shares, terms.public_shares) == (490, 511)
    assert terms.bond == 102_200_000
    assert (terms.seed_ppm, terms.vesting_seconds) == (RULES.min_seed_ppm, RULES.min_vesting_seconds)
    assert terms.fees == FeeTerms(1_500_000, 1_500_000, 100_000)
    assert (terms.max_model_fee, terms.successor_rate_ppm) == (15_000_000, 100_000)
    assert (terms.name, terms.symbol) == ("Digits & more, v2 of \u00e9 shares", "DIGITSMO")
    assert terms.artifact is ARTIFACT


def test_complete_terms__everything_written__is_what_was_written():
    """Each written term arrives in its field, amounts to the last unit."""
    written = replace(
        LEAST, bond="500.000001", window="2d", seed_part=300_000, vesting="100d", lp_lock="200d",
        model_fee="0.5", min_model_fee="0.25", min_model_fee_part=5, max_model_fee="1",
        successor_rate=7, name="A name", symbol="SYM",
    )  # fmt: skip
    terms = complete_terms(written, MARKET, 7, ARTIFACT)
    assert terms.as_abi() == (
        7, 1001, 2_000_000, 500_000_001, 172_800, 300_000, 8_640_000, 17_280_000,
        (500_000, 250_000, 5), 1_000_000, 7, GUARDIAN, ARTIFACT.as_abi(), "A name", "SYM",
    )  # fmt: skip


@pytest.mark.parametrize("missing", ["total_shares", "price", "guardian"])
def test_complete_terms__without_what_only_the_creator_knows__names_the_option(missing):
    """Shares, price and guardian have no default."""
    with pytest.raises(ConfigError, match="--" + missing.replace("_", "-")):
        complete_terms(replace(LEAST, **{missing: None}), MARKET, 7, ARTIFACT)


def test_terms_file__is_read_and_its_mistakes_are_all_named(tmp_path):
    """Keys are the options' names; amounts are text, so that none loses a digit."""
    path = tmp_path / "terms.toml"
    path.write_text('total_shares = 1000\nprice = "2.5"\nwindow = "30d"\n')
    assert read_terms_file(path) == {"total_shares": 1000, "price": "2.5", "window": "30d"}
    path.write_text('price = 2.5\ntotal_shares = "9"\nseed_part = true\nprise = "1"\n')
    with pytest.raises(ConfigError) as found:
        read_terms_file(path)
    assert all(name in found.value.message for name in ("price", "total_shares", "seed_part", "'prise'"))
    path.write_text("= nonsense")
    with pytest.raises(ConfigError, match="expected TOML"):
        read_terms_file(path)
    with pytest.raises(ArtifactNotFoundError):
        read_terms_file(tmp_path / "none.toml")


@pytest.mark.parametrize("noun", ["imo", "steward"])
def test_help__of_the_noun__loads_no_chain_code(noun):
    """Help is there at once: web3 and the signing code are imported by commands, when they run."""
    code = f"import sys, zkml.cli.{noun}; print(sorted({{'web3', 'eth_account', 'pydantic'}} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
