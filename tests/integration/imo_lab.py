"""A chain with a market, sealed models that are PROVEN by a hash, and people with key files: for offerings."""

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chain_fixtures import EXAMPLE_OUTPUT, ONE_TOKEN, Market, build_market, example_input, proof_of

from marketplace.sealed_store import find_record, keep_record
from marketplace.sealing import seal_file
from zkml.adapters.evm.anvil import Anvil
from zkml.adapters.evm.rpc import Chain
from zkml.adapters.evm.timetravel import pass_time
from zkml.adapters.keys.key_files import create_key_file
from zkml.cli.imo_terms import WrittenTerms, complete_terms
from zkml.cli.main import run
from zkml.config.home import Home
from zkml.core.artifact_encryption import ArtifactKey
from zkml.core.digests import keccak256
from zkml.core.identifiers import FeeTerms, ModelCommitment
from zkml.core.records import ProofFile, to_hex
from zkml.core.sealed_records import SealedRecord
from zkml.publish.artifact_keys import KeyBinding, load_or_create_key
from zkml.wiring import Market as Bound
from zkml.wiring import bind, open_store

WEIGHTS = bytes(range(256)) * 40
"""Two chunks and a half."""

TERMS = ("--total-shares", "100", "--price", "2", "--model-fee", "1", "--window", "1d", "--vesting", "90d")
PUBLIC = 51
RAISE = PUBLIC * 2 * ONE_TOKEN
BOND = RAISE // 10


@dataclass
class Stage:
    """A home with a market, and people whose key files are in it."""

    home: Home
    endpoint: str
    built: Market
    market: Bound
    people: dict[str, Any] = field(default_factory=dict)

    def person(self, name: str, tokens: int = 1_000) -> str:
        """Make a person with a key file, ether and tokens; return the address."""
        if name not in self.people:
            account = create_key_file(self.home.keys / f"{name}.key")
            self.market.chain.send_once("anvil_setBalance", [account.address, hex(10**18)])
            self.market.token.mint(self.built.deployer, account.address, tokens * ONE_TOKEN)
            self.people[name] = account
        return str(self.people[name].address)

    def sealed_model(self, name: str, owner: str, *, opened_by: ArtifactKey | None = None) -> int:
        """Register and prove a person's model whose weights are sealed.

        Args:
            name: of the model.
            owner: a person.
            opened_by: what the published file is encrypted with; the key that was committed to when None.
        """
        self.person(owner)
        binding = KeyBinding(31337, self.market.registry.address, owner, "sha256:1", "sha256:2", name)
        kept = load_or_create_key(self.home.artifact_keys, binding)
        source, target = self.home.root / f"{name}.onnx", self.home.root / f"{name}.sealed"
        source.write_bytes(WEIGHTS)
        artifact = seal_file(source, target, opened_by or kept.key)
        cid = open_store(self.home).put_file(target)
        keep_record(self.home.sealed, SealedRecord.of(artifact, kept.key.commitment, cid))
        return self._proven(name, self.people[owner], kept.key.commitment)

    def _proven(self, name: str, owner: Any, key_commitment: bytes) -> int:
        built, market = self.built, self.market
        circuit, _ = market.router.add(
            built.deployer, built.spec._replace(verifying_key_digest=keccak256(name.encode()))
        )
        digests = [keccak256(f"{name} {part}".encode()) for part in ("onnx", "settings", "manifest")]
        commitment = ModelCommitment(
            (circuit,), *digests, bytes(32), key_commitment, 0, "bafkreitest", name, "MIT"
        )
        model, _ = market.registry.register(owner, commitment, FeeTerms(model_fee=ONE_TOKEN))
        genesis = market.registry.genesis(model, circuit)
        proof = proof_of(genesis.packed_input, EXAMPLE_OUTPUT)
        market.registry.activate(owner, model, circuit, EXAMPLE_OUTPUT, proof)
        return model

    def open_anyway(self, model: int, owner: str, guardian: str) -> int:
        """Open an offering as somebody who tries nothing before; return its number."""
        account, market = self.people[owner], self.market
        artifact = find_record(self.home.sealed, market.registry.commitment_of(model).key_commitment).artifact
        written = WrittenTerms(total_shares=100, price="2", guardian=self.person(guardian))
        terms = complete_terms(written, market, model, artifact)
        market.registry.approve(account, market.offerings.address, model)
        market.token.approve(account, market.offerings.address, terms.bond)
        number, _ = market.offerings.open(account, terms)
        return int(number)

    def release_proof(self, number: int) -> Path:
        """Write the one proof that releases an offering; return its file."""
        packed = self.market.offerings.release_input(number)
        proof = ProofFile(
            system="hash",
            system_version="1",
            circuit="sha256:" + "11" * 32,
            verifying_key="sha256:" + "22" * 32,
            input=to_hex(packed),
            output=to_hex(EXAMPLE_OUTPUT),
            proof=to_hex(proof_of(packed, EXAMPLE_OUTPUT)),
        )
        path = self.home.root / f"release-{number}.json"
        path.write_bytes(proof.to_bytes())
        return path

    def earn(self, model: int, start: int, prover: Any) -> None:
        """Let a model earn its fee by one settled job of a prover's who may prove it."""
        requester, packed = self.built.funded(), example_input(start)
        circuit = self.market.registry.commitment_of(model).circuit_id
        spec = self.built.job_spec(packed)._replace(model_id=model, circuit_id=circuit)
        job, _ = self.market.manager.open(requester, spec, packed)
        self.market.manager.claim(prover, job)
        proof = proof_of(packed, EXAMPLE_OUTPUT)
        self.market.manager.settle(prover, job, packed, EXAMPLE_OUTPUT, proof)

    def pass_to(self, time: int) -> None:
        """Let time pass up to a chain second."""
        pass_time(self.market.chain, max(0, time - self.market.chain.now()))

    def argv(self, *words: str, who: str) -> list[str]:
        """Return a command line of a person's."""
        self.person(who)
        key = str(self.home.keys / f"{who}.key")
        return [*words, "--home", str(self.home.root), "--rpc-url", self.endpoint, "--key-file", key]

    def reading(self, *words: str) -> list[str]:
        """Return a command line that signs nothing."""
        return [*words, "--home", str(self.home.root), "--rpc-url", self.endpoint]


@contextlib.contextmanager
def start_stage(folder: Path) -> Iterator[Stage]:
    """Start a node with everything deployed."""
    home = Home(folder / "home")
    with Anvil.start(home.chain) as node, Chain(node.endpoint) as chain:
        built = build_market(chain, home.deployments)
        home.keys.mkdir(mode=0o700)
        yield Stage(home, node.endpoint, built, bind(chain, built.deployment))


def asker(stage: Stage, capsys: Any) -> Callable[..., Any]:
    """Return what runs a command with --json for a person, or for nobody, and returns its one object."""

    def ask(*words: str, who: str = "", code: int = 0) -> Any:
        argv = stage.argv(*words, who=who) if who else stage.reading(*words)
        assert run([*argv, "--json"]) == code, capsys.readouterr()
        ask.said = capsys.readouterr()
        return json.loads(ask.said.out)

    return ask
