"""Three models that are kin, published with real proofs on a real node, and the people who trade in them.

All have one architecture. With EZKL their weights are committed: one verifying key, one pin of the shared
verifier. With OCTET each has a key of its own, behind the same shared verifier, and proofs are bound to who is
paid for them.
"""

import copy
import functools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch
from built_once import built_once
from economy_model import Rules
from eth_account import Account
from eth_account.signers.local import LocalAccount
from torch import nn

from circuits.batches import pack_batch
from circuits.bundle import Bundle
from circuits.port import CompileRequest, ErrorBudget, ProofSystem
from circuits.single_proof import prove_input
from circuits.srs import SrsStore
from circuits.systems import open_system
from registry.lineage import Parent
from verifier_contracts.deploy import deploy_core
from verifier_contracts.terms import JobTerms, OfferingRules, PlatformTerms, default_protocol_terms
from zkml import wiring
from zkml.adapters.evm.anvil import Anvil
from zkml.adapters.evm.rpc import Chain
from zkml.adapters.keys.dev_keys import dev_account
from zkml.config.home import Home
from zkml.core.artifact_encryption import ArtifactKey
from zkml.core.digests import keccak256
from zkml.core.identifiers import ZERO32, DerivativeTerms, FeeTerms
from zkml.core.records import from_hex
from zkml.export.torch_module import export_module
from zkml.publish.listing import Listing
from zkml.publish.publication import Publication, publish

OWNERS = {"root": "ada", "tuned": "ben", "merge": "cleo"}
PROVERS = ("pia", "paul")
REQUESTERS = ("rosa", "ravi")
PEOPLE = (*OWNERS.values(), *PROVERS, *REQUESTERS, "treasury", "stranger")
PURSES = dict.fromkeys((*PROVERS, *REQUESTERS), 500_000_000)
STAKE = 60_000_000
UNSTAKE_DELAY_SECONDS = 3_600
# Odd numbers, so that almost every division leaves a rest.
RULES = Rules(
    platform_ppm=23_457,
    flat_fee=10_007,
    min_collateral=1_000_001,
    collateral_ppm=100_003,
    bonus_ppm=499_999,
    treasury_ppm=333_331,
)
FEES = {
    "root": FeeTerms(model_fee=333_337, min_model_fee=40_009),
    "tuned": FeeTerms(model_fee=100_003, min_model_fee=50_021, min_model_fee_ppm=150_007),
    "merge": FeeTerms(model_fee=777_781, min_model_fee=50_021),
}
PARENTS = {"root": {}, "tuned": {"root": 200_000}, "merge": {"root": 100_000, "tuned": 250_000}}


@dataclass(frozen=True)
class Cast:
    """Who takes part, and with which models.

    Attributes:
        owners: by model, parents first.
        parents: by model, with rates in millionths.
        fees: by model.
        purses: what people have, in the token's smallest unit.
        people: everybody.
        provers: have a purse and stake.
        requesters: have a purse and let the ledger take it.
        keys: of the models that are closed, what opens their artifact.
        batch_of: the model that has a circuit for two inputs, too.
    """

    owners: dict[str, str]
    parents: dict[str, dict[str, int]]
    fees: dict[str, FeeTerms]
    purses: dict[str, int]
    people: tuple[str, ...]
    provers: tuple[str, ...] = PROVERS
    requesters: tuple[str, ...] = REQUESTERS
    keys: dict[str, ArtifactKey] = field(default_factory=dict)
    batch_of: str = ""


ECONOMY = Cast(OWNERS, PARENTS, FEES, PURSES, PEOPLE, batch_of="root")

SAMPLES = torch.rand(64, 4, generator=torch.Generator().manual_seed(1)) * 2 - 1
Proved = tuple[bytes, bytes, bytes]
"""Packed input, packed output, proof."""


def _fitted(net: nn.Module, targets: torch.Tensor, steps: int) -> nn.Module:
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.mse_loss(net(SAMPLES), targets).backward()
        optimizer.step()
    return net


def train_models() -> dict[str, nn.Module]:
    """Train the root, fine-tune a copy of it for another task, and average the weights of both."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        root = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2))
    sums = SAMPLES[:, :2].sum(1)
    _fitted(root, torch.stack([sums + 0.8, 0.7 * (SAMPLES[:, 2] - SAMPLES[:, 3]) - 0.5], 1), 200)
    tuned = _fitted(copy.deepcopy(root), torch.stack([sums + 0.9, SAMPLES[:, 2] - 0.3], 1), 40)
    merge = copy.deepcopy(root)
    merge.load_state_dict(
        {name: (value + tuned.state_dict()[name]) / 2 for name, value in root.state_dict().items()}
    )
    return {"root": root, "tuned": tuned, "merge": merge}


@dataclass
class World:
    """The chain, the models with their bundles, and everybody's keys.

    Attributes:
        home: where the deployment is recorded.
        market: all contracts.
        system: the proof system.
        bundles: by model, for one input; `batch` is the root's for two.
        published: by model.
        keys: by name of the person.
        made: proofs, by bundle, packed input and context.
    """

    home: Home
    market: wiring.Market
    system: ProofSystem
    bundles: dict[str, Bundle]
    published: dict[str, Publication] = field(default_factory=dict)
    keys: dict[str, LocalAccount] = field(default_factory=dict)
    made: dict[tuple[str, bytes, bytes], Proved] = field(default_factory=dict)

    @property
    def has_committed_weights(self) -> bool:
        """Whether one key serves all weights of the architecture."""
        return self.bundles["root"].manifest.weight_point is not None

    def model_id(self, model: str) -> int:
        """Return a model's id on chain."""
        return self.published[model].model_id

    def address(self, person: str) -> str:
        """Return a person's address."""
        return self.keys[person].address

    def packed(self, sample: int) -> bytes:
        """Return a sample as the circuits for one input take it."""
        return self.system.quantize_input(self.bundles["root"], SAMPLES[sample].numpy())

    def prove(self, model: str, sample: int, context: bytes) -> Proved:
        """Prove what a model makes of a sample, for whoever is paid for it."""
        return self.prove_packed(model, self.packed(sample), context)

    def prove_two(self, samples: tuple[int, int], context: bytes) -> Proved:
        """Prove what the root makes of two samples at once."""
        packed = [self.packed(sample) for sample in samples]
        return self.prove_packed("batch", pack_batch(self.bundles["batch"].manifest, packed), context)

    def prove_packed(self, bundle: str, packed: bytes, context: bytes) -> Proved:
        """Prove what a bundle makes of a packed input; once, where proofs are not bound to a context."""
        wanted = bundle, packed, context if self.system.binds_context else ZERO32
        if wanted not in self.made:
            witness = self.home.root / "witness.json"
            made = prove_input(self.bundles[bundle], self.system, packed, witness, context=wanted[2])
            self.made[wanted] = packed, from_hex(made.output), from_hex(made.proof)
        return self.made[wanted]


def compile_model(folder: Path, name: str, net: nn.Module, system: str) -> Bundle:
    """Compile a model for one input; all of this architecture share their key where weights are committed."""
    onnx = folder / f"{name}.onnx"
    export_module(net, SAMPLES[:1], onnx, name=name)
    wanted = CompileRequest(
        name,
        onnx,
        SAMPLES.numpy(),
        folder / name,
        SrsStore(folder / "srs"),
        domain=(-1.0, 1.0),
        # Loose, so that all are calibrated alike wherever they were trained.
        budget=ErrorBudget(relative_error=0.1, min_argmax_agreement=0.9),
        weights="committed" if system == "ezkl" else "fixed",
    )
    return open_system(system).compile(wanted)


def _compile_kin(folder: Path, system: str) -> list[str]:
    bundles = {name: compile_model(folder, name, net, system) for name, net in train_models().items()}
    open_system(system).compile_batch(bundles["root"], 2, folder / "batch", SrsStore(folder / "srs"))
    return [*bundles, "batch"]


def kin_bundles(system: str) -> dict[str, Bundle]:
    """Return the three models and the root's batch, compiled once in a test run."""
    folder, names = built_once(f"kin-{system}", functools.partial(_compile_kin, system=system))
    return {name: Bundle.open(folder / name) for name in names}


def _publish(world: World, model: str, cast: Cast) -> Publication:
    listing = Listing(
        key_commitment=cast.keys[model].commitment if model in cast.keys else ZERO32,
        fees=cast.fees[model],
        derivatives=DerivativeTerms(min_rate_ppm=100_000, min_model_fee=50_021),
        parents=tuple(Parent(world.model_id(name), rate) for name, rate in cast.parents[model].items()),
        max_total_ppm=sum(cast.parents[model].values()),
        verifier="shared",
    )
    return publish(
        world.market,
        world.keys[cast.owners[model]],
        world.bundles[model],
        world.system,
        wiring.open_store(world.home),
        cache_dir=world.home.verifiers,
        scratch=world.home.root / "scratch",
        listing=listing,
        batches=[world.bundles["batch"]] if model == cast.batch_of else [],
    )


def _fund(world: World, cast: Cast) -> None:
    """Give people their purses; provers stake, requesters let the ledger take all."""
    market, deployer = world.market, dev_account(world.market.chain.chain_id)
    for name, units in cast.purses.items():
        market.token.mint(deployer, world.address(name), units)
    for name in cast.requesters:
        market.token.approve(world.keys[name], market.ledger.address, cast.purses[name])
    system_id = world.published["root"].circuit.spec.proof_system_id
    for name in cast.provers:
        market.token.approve(world.keys[name], market.provers.address, STAKE)
        market.provers.register(world.keys[name], "", [system_id])
        market.provers.stake(world.keys[name], STAKE)


@contextmanager
def open_world(
    folder: Path,
    cast: Cast = ECONOMY,
    *,
    more_bundles: dict[str, Bundle] | None = None,
    rules: OfferingRules | None = None,
    system: str,
) -> Iterator[World]:
    """Build everything below `folder`, on a node that stops with the context.

    Args:
        folder: becomes a home.
        cast: who takes part.
        system: name of the proof system.
        more_bundles: of models beyond the three.
        rules: of offerings; the chain's defaults when None.
    """
    home = Home(folder)
    bundles = kin_bundles(system) | (more_bundles or {})
    keys = {name: Account.from_key(keccak256(name.encode())) for name in cast.people}
    with Anvil.start(home.chain) as node, Chain(node.endpoint) as chain:
        for account in keys.values():
            chain.send_once("anvil_setBalance", [account.address, hex(10**20)])
        deployer = dev_account(chain.chain_id)
        protocol = default_protocol_terms(deployer.address, is_local=True).model_copy(
            update={
                "treasury": keys["treasury"].address,
                "platform": PlatformTerms(fee_ppm=RULES.platform_ppm, flat_fee=str(RULES.flat_fee)),
                "unstake_delay_seconds": UNSTAKE_DELAY_SECONDS,
            }
        )
        terms = JobTerms(
            min_collateral=str(RULES.min_collateral),
            collateral_ppm=RULES.collateral_ppm,
            bonus_ppm=RULES.bonus_ppm,
            treasury_ppm=RULES.treasury_ppm,
        )
        deployed = deploy_core(
            chain, deployer, folder=home.deployments, terms=terms, protocol=protocol, rules=rules
        )
        world = World(home, wiring.bind(chain, deployed), open_system(system), bundles, keys=keys)
        for model in cast.owners:
            world.published[model] = _publish(world, model, cast)
        _fund(world, cast)
        yield world
