"""Four models of which three are offered, their sealed artifacts, and the people who buy and trade.

Ada owns the root, Cleo a model tuned from it, Ben the merge of both: A, C and B. Mal derives a fourth from Ben's.
"""

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from built_once import built_once
from economy_world import FEES, Cast, World, compile_model, open_world, train_models
from paper_offering import Terms

from circuits.bundle import Bundle
from marketplace.sealed_files import chunks_of, sealed_size
from marketplace.sealing import seal_file
from verifier_contracts.terms import DAY_SECONDS, OfferingRules
from zkml.core.artifact_encryption import CHUNK_BYTES, Artifact, ArtifactKey, cipher_leaf
from zkml.core.digests import keccak256
from zkml.core.identifiers import FeeTerms
from zkml.core.merkle import TreeBuilder

OWNERS = {"root": "ada", "tuned": "cleo", "merge": "ben", "junk": "mal"}
PARENTS = {
    "root": {},
    "tuned": {"root": 200_000},
    "merge": {"root": 100_000, "tuned": 250_000},
    "junk": {"merge": 200_000},
}
BUYERS = ("bea", "bob", "cyd", "dot")
HOLDERS = (*OWNERS.values(), *BUYERS, "tess")
PEOPLE = (
    *OWNERS.values(),
    *BUYERS,
    "pia",
    "paul",
    "rosa",
    "tess",
    "gus",
    "treasury",
    "stranger",
)
PURSES = dict.fromkeys((*OWNERS.values(), *BUYERS, "pia", "paul", "rosa", "tess"), 500_000_000)
KEYS = {
    model: ArtifactKey(keccak256(b"the key of " + model.encode())) for model in ("tuned", "merge", "junk")
}
CAST = Cast(
    OWNERS,
    PARENTS,
    {**FEES, "junk": FeeTerms(model_fee=444_443, min_model_fee=50_021)},
    PURSES,
    PEOPLE,
    requesters=("rosa",),
    keys=KEYS,
)

# Long enough that a slow machine is never late; odd, and no two alike.
RULES = OfferingRules(challenge_seconds=5_003, grace_seconds=7_001, accepted_classes=14)
GARBLED_CHUNK = 3
PACIFIC = ZoneInfo("America/Los_Angeles")

FINE = Terms(
    total=10_007,
    price=30_011,
    bond=20_000_003,
    window=30 * DAY_SECONDS,
    seed_ppm=250_007,
    vesting=91 * DAY_SECONDS + 11,
    liquidity_lock=181 * DAY_SECONDS + 7,
    fee=801_011,
    least_part_ppm=10_007,
)
UNSOLD = Terms(
    total=1_003,
    price=100_003,
    bond=6_000_007,
    window=11 * DAY_SECONDS,
    seed_ppm=50_001,
    vesting=90 * DAY_SECONDS,
    liquidity_lock=180 * DAY_SECONDS,
    fee=120_011,
    least_part_ppm=150_007,
)
JUNK = Terms(
    total=307,
    price=700_001,
    bond=11_111_117,
    window=20 * DAY_SECONDS,
    seed_ppm=100_003,
    vesting=90 * DAY_SECONDS,
    liquidity_lock=180 * DAY_SECONDS,
    fee=505_027,
    least_part_ppm=20_011,
)


@dataclass(frozen=True)
class SealedModel:
    """What is sold of a model: the published file, and what its creator committed to."""

    path: Path
    artifact: Artifact


@dataclass
class OfferingLab:
    """The world of offerings.

    Attributes:
        world: the chain, models and keys.
        sundays: the Sunday on which Pacific clocks go forward, and the next on which they go back.
        keys: of sealed artifacts, by model.
        sealed: by model.
    """

    world: World
    sundays: tuple[datetime, datetime]
    keys: dict[str, ArtifactKey] = field(default_factory=lambda: KEYS)
    sealed: dict[str, SealedModel] = field(default_factory=dict)


def clock_changes(after: int) -> tuple[datetime, datetime]:
    """Return the noons of the Sundays on which clocks next go forward and then back.

    Args:
        after: chain time in seconds; there are two weeks at least until the first.
    """
    noon = datetime.fromtimestamp(after, PACIFIC).replace(hour=12, minute=0, second=0) + timedelta(days=14)
    found: list[datetime] = []
    while len(found) < 2:
        # Wall clock arithmetic: noon stays noon.
        before, noon = noon, noon + timedelta(days=1)
        forward = noon.utcoffset() > before.utcoffset()
        if noon.utcoffset() != before.utcoffset() and forward is not bool(found):
            found.append(noon)
    return found[0], found[1]


def seal(folder: Path, model: str, source: Path, *, garbled: bool = False) -> SealedModel:
    """Seal what is sold of a model.

    Args:
        folder: where the published file goes.
        model: whose key it is.
        source: the plaintext.
        garbled: the creator publishes, and commits to, a chunk that no key opens to what it promised.
    """
    path = folder / f"{model}.sealed"
    artifact = seal_file(source, path, KEYS[model])
    if garbled:
        content = bytearray(path.read_bytes())
        content[GARBLED_CHUNK * CHUNK_BYTES + 100] ^= 0x01
        path.write_bytes(content)
        tree = TreeBuilder()
        for index, chunk in enumerate(chunks_of(bytes(content[: artifact.size_bytes]))):
            tree.add(cipher_leaf(index, chunk))
        artifact = Artifact(artifact.plain_root, tree.root(), artifact.size_bytes)
    assert path.stat().st_size == sealed_size(artifact.size_bytes)
    return SealedModel(path, artifact)


@contextmanager
def open_offering_lab(folder: Path, system: str) -> Iterator[OfferingLab]:
    """Build everything below `folder` with one proof system, on a node that stops with the context."""
    made = built_once(f"junk-{system}", functools.partial(_compile_junk, system=system))[0]
    junk = Bundle.open(made / "junk")
    with open_world(folder, CAST, more_bundles={"junk": junk}, rules=RULES, system=system) as world:
        lab = OfferingLab(world, clock_changes(world.market.chain.now()))
        for model in ("tuned", "merge"):
            lab.sealed[model] = seal(folder, model, world.bundles[model].file("onnx"))
        # A bundle gives the weights away, and all of it is long enough for many chunks.
        whole = folder / "junk.plain"
        whole.write_bytes(b"".join(path.read_bytes() for path in sorted(junk.path.iterdir())))
        lab.sealed["junk"] = seal(folder, "junk", whole, garbled=True)
        for model in KEYS:
            world.market.registry.set_access(
                world.keys[OWNERS[model]], world.model_id(model), world.address("pia"), granted=True
            )
        for person in PURSES:
            world.market.token.approve(world.keys[person], world.market.offerings.address, PURSES[person])
        yield lab


def _compile_junk(folder: Path, system: str) -> None:
    """Compile a model that is nearly the merge: other weights, and so a model of its own."""
    nets = train_models()
    root, merge = nets["root"].state_dict(), nets["merge"]
    merge.load_state_dict({name: (3 * value + root[name]) / 4 for name, value in merge.state_dict().items()})
    compile_model(folder, "junk", merge, system)
