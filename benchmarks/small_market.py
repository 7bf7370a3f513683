"""A chain of its own with one small model and its real proofs, and accounts with enough of everything."""

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from eth_account import Account
from eth_account.signers.local import LocalAccount

from benchmarks.traded_model import LAYER, TradedModel
from circuits.bundle import Bundle
from circuits.port import ProofSystem
from circuits.systems import open_system
from verifier_contracts.deploy import deploy_core
from zkml.adapters.evm.anvil import Anvil
from zkml.adapters.evm.rpc import Chain
from zkml.adapters.keys.dev_keys import dev_account
from zkml.config.home import Home
from zkml.core.market_identifiers import JobSpec
from zkml.core.tensors import input_commitment
from zkml.publish.publication import publish
from zkml.wiring import Market, open_market, open_store

ONE_TOKEN = 1_000_000
FEE = ONE_TOKEN
PLENTY = 1_000_000 * ONE_TOKEN
CLAIM_SECONDS = 3600
JOB_SECONDS = 4 * 3600


@dataclass(frozen=True)
class SmallMarket:
    """The market, and who pays on it.

    Attributes:
        market: chain and contracts.
        home: a home with deployment, circuit and compiled verifier, which nodes get copies of.
        bundle: the circuit.
        model_id: the published model.
        circuit_id: its circuit on chain.
        model: what inputs it takes.
        system: proves it.
        owner: has all the ether and mints tokens; opens the jobs.
    """

    market: Market
    home: Home
    bundle: Bundle
    model_id: int
    circuit_id: bytes
    model: TradedModel
    system: ProofSystem
    owner: LocalAccount

    @property
    def chain(self) -> Chain:
        """The chain."""
        return self.market.chain

    def pack_inputs(self, count: int, *, seed: int) -> list[bytes]:
        """Return inputs as a job carries them."""
        drawn = self.model.draw(count, seed=seed)
        return [self.system.quantize_input(self.bundle, row) for row in drawn]

    def fund(self) -> LocalAccount:
        """Return a new account with ether and tokens."""
        account: LocalAccount = Account.create()
        self.chain.send_once("anvil_setBalance", [account.address, hex(10**20)])
        self.market.token.mint(self.owner, account.address, PLENTY)
        return account

    @contextlib.contextmanager
    def undone(self) -> Iterator[None]:
        """Put the chain back afterwards: a node looks at all jobs that are there when it starts."""
        snapshot = self.chain.send_once("evm_snapshot", [])
        try:
            yield
        finally:
            if self.chain.send_once("evm_revert", [snapshot]) is not True:
                raise SystemExit("expected the chain to go back to its snapshot, found that it does not")

    def open_job(self, packed: bytes, *, prover: str = "") -> bytes:
        """Open a job that leaves time for all of them, for any prover or for one alone."""
        spec = long_job(self.chain, self.model_id, self.circuit_id, packed, prover=prover)
        job_id, _ = self.market.manager.open(self.owner, spec, packed)
        return job_id


def long_job(chain: Chain, model_id: int, circuit_id: bytes, packed: bytes, *, prover: str = "") -> JobSpec:
    """Return a job at one fee that leaves time for all of them, for any prover or for one alone."""
    return JobSpec(
        model_id=model_id,
        circuit_id=circuit_id,
        input_commitment=input_commitment(packed),
        input_uri="",
        min_prover_fee=FEE,
        max_prover_fee=FEE,
        max_total=10 * FEE,
        ramp_seconds=0,
        claim_seconds=CLAIM_SECONDS,
        deadline=chain.now() + JOB_SECONDS,
        provers=(prover,) if prover else (),
    )


@contextlib.contextmanager
def open_funded_market(
    folder: Path, home: Home, *, keep_opcodes: bool = False
) -> Iterator[tuple[Market, LocalAccount]]:
    """Start a chain that ends with this process and deploy everything.

    Args:
        folder: for the chain's files.
        home: gets the deployment.
        keep_opcodes: see `Anvil.start`.

    Yields:
        The market, and the account that has all the ether, and tokens which the ledger may take.
    """
    with Anvil.start(folder / "chain", keep_opcodes=keep_opcodes) as anvil, Chain(anvil.endpoint) as chain:
        account = dev_account(chain.chain_id)
        deploy_core(chain, account, folder=home.deployments)
        market = open_market(home, chain)
        market.token.mint(account, account.address, PLENTY)
        market.token.approve(account, market.ledger.address, PLENTY)
        yield market, account


@contextlib.contextmanager
def open_small_market(
    folder: Path, model: TradedModel = LAYER, system_name: str = "ezkl"
) -> Iterator[SmallMarket]:
    """Start a chain that ends with this process, deploy everything and publish the model."""
    bundle, system, home = model.open_bundle(system_name), open_system(system_name), Home(folder / "template")
    shutil.copytree(bundle.path, home.bundles / model.name)
    with open_funded_market(folder, home) as (market, owner):
        published = publish(
            market,
            owner,
            bundle,
            system,
            store=open_store(home),
            cache_dir=home.verifiers,
            scratch=folder / "scratch",
        )
        circuit_id = published.circuit.circuit_id
        yield SmallMarket(market, home, bundle, published.model_id, circuit_id, model, system, owner)
