"""What buyers are told before they pay: a guardian of the creator's, little income, self-styled successors."""

from types import SimpleNamespace

import pytest

from zkml.cli.imo_session import check_settled
from zkml.cli.imo_warnings import unclaimed_lineage, warnings_of
from zkml.core.revenue import Part, PayeeKind
from zkml.errors import NotFinalError

CREATOR, GUARDIAN, OTHER = ("0x" + digit * 40 for digit in "123")
MODEL, CHILD = 7, 8
NOBODY = "0x" + "00" * 20


class World:
    """A market of one offered model; each part can be changed."""

    def __init__(self):
        self.guarded = {}
        self.holders_ppm = 900_000
        self.predecessor = 0
        self.parents = ()
        self.ether = 1
        self.publisher = CREATOR
        self.model_account = OTHER
        self.due = 5
        self.gas_limit = 12_000_000
        self.confirmations = 0
        self.opened_at = 10
        self.head = 12

    @property
    def market(self):
        offered = lambda creator: [  # noqa: E731
            SimpleNamespace(terms=SimpleNamespace(guardian=found)) for found in self.guarded.get(creator, ())
        ]
        commitment = SimpleNamespace(predecessor=self.predecessor)
        declared = SimpleNamespace(child_id=CHILD, shares=[SimpleNamespace(model_id=MODEL)])
        parts = (
            Part(PayeeKind.LINEAGE, 1_000_000 - self.holders_ppm, NOBODY),
            Part(PayeeKind.HOLDERS, self.holders_ppm, NOBODY),
        )
        return SimpleNamespace(
            chain=SimpleNamespace(
                balance_wei=lambda _: self.ether, confirmations=self.confirmations, height=lambda: self.head
            ),
            deployment=SimpleNamespace(block=1),
            registry=SimpleNamespace(
                publisher_of=lambda _: self.publisher,
                account_of=lambda _: self.model_account,
                commitment_of=lambda _: SimpleNamespace(circuit_id=bytes(32)),
                registrations=lambda from_block: [SimpleNamespace(model_id=CHILD, commitment=commitment)],
            ),
            router=SimpleNamespace(
                circuit=lambda _: SimpleNamespace(
                    gas_limit=self.gas_limit, layout=SimpleNamespace(input_count=784)
                )
            ),
            lineage=SimpleNamespace(parents_of=lambda _: self.parents, declarations=lambda: [declared]),
            ledger=SimpleNamespace(split_of=lambda _: parts, lineage_due=lambda child, model: self.due),
            offerings=SimpleNamespace(
                events=SimpleNamespace(
                    offerings=offered,
                    opened=lambda _: SimpleNamespace(where=SimpleNamespace(block=self.opened_at)),
                )
            ),
        )

    def warnings(self, *, guardian=GUARDIAN, fixed=False):
        return warnings_of(self.market, CREATOR, guardian, MODEL, fixed=fixed)


def test_warnings__of_a_sound_offering__none():
    """Committed weights, an independent guardian with ether, nine tenths for the holders: nothing to say."""
    assert World().warnings() == []


def test_warnings__fixed_weights__say_what_that_means():
    """Where nobody can rebuild the key before the reveal, buyers hear that the bond is all they have."""
    (found,) = World().warnings(fixed=True)
    assert "bond alone" in found


@pytest.mark.parametrize(
    ("change", "guardian", "said"),
    [
        ({}, CREATOR, "is the creator"),
        ({"publisher": GUARDIAN}, GUARDIAN, "is the model's publisher"),
        ({"model_account": GUARDIAN}, GUARDIAN, "is the model's own account"),
        ({"guarded": {GUARDIAN: [CREATOR]}}, GUARDIAN, "offers a model whose guardian is this creator"),
        ({"ether": 0}, GUARDIAN, "has no ether"),
    ],
)
def test_warnings__a_guardian_who_may_not_act__is_named(change, guardian, said):
    """A guardian that belongs to the creator, or cannot send a transaction, protects nobody."""
    world = World()
    vars(world).update(change)
    (found,) = world.warnings(guardian=guardian)
    assert said in found
    assert guardian in found


def test_warnings__little_left_for_holders__is_shown_as_a_percentage():
    """Parents and contributors may take most of the income: who buys shares hears how much is left."""
    world = World()
    world.holders_ppm = 499_999
    (found,) = world.warnings()
    assert "49.9999 %" in found
    world.holders_ppm = 500_000
    assert world.warnings() == []


def test_warnings__a_self_styled_successor__owes_nothing():
    """A next version that names the model as predecessor and not as parent pays its holders nothing."""
    world = World()
    world.predecessor = MODEL
    (found,) = world.warnings()
    assert f"{CHILD:#066x}" in found
    world.parents = (SimpleNamespace(model_id=MODEL),)
    assert world.warnings() == []


def test_warnings__a_release_beyond_the_gas_of_a_transaction__is_foreseen():
    """A circuit can pass its genesis and still be too expensive to release: the bond would be lost."""
    world = World()
    world.gas_limit = 15_700_000
    (found,) = world.warnings()
    assert "nobody can finalize" in found


def test_unclaimed_lineage__is_what_descendants_owe():
    """What descendants earned for the model is summed, so that its creator claims it before the sale."""
    assert unclaimed_lineage(World().market, MODEL) == 5
    assert unclaimed_lineage(World().market, CHILD) == 0


def test_check_settled__a_young_offering__is_not_bought():
    """After a reorganisation a number can be another offering's: it is bought once it is as deep as it must be."""
    world, facts = World(), SimpleNamespace(offering_id=3)
    check_settled(world.market, facts)
    world.confirmations = 3
    with pytest.raises(NotFinalError, match="found 2"):
        check_settled(world.market, facts)
    world.head = 13
    check_settled(world.market, facts)
