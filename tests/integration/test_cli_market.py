"""Verifiers, registries, lineage, identities and revenue by command, on a real node with the real contracts."""

import json
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from chain_fixtures import EXAMPLE_OUTPUT, ONE_TOKEN, Market, build_market, example_input, proof_of

from marketplace.jobs import Settlement
from registry.models import ModelStatus
from zkml.adapters.evm.anvil import Anvil
from zkml.adapters.evm.rpc import Chain
from zkml.adapters.keys.key_files import create_key_file
from zkml.cli.main import run
from zkml.core.digests import keccak256
from zkml.core.identifiers import FeeTerms, ModelCommitment

pytestmark = pytest.mark.integration

PROVER_FEE = 2 * ONE_TOKEN
MODEL_FEE = ONE_TOKEN
PLATFORM_PART = MODEL_FEE * 25_000 // 1_000_000
EARNED = MODEL_FEE - PLATFORM_PART
RATE = 100_000


@dataclass
class Shop:
    """A home with a market, and a model of the publisher's whose owner has a key file."""

    home: Path
    endpoint: str
    market: Market

    @property
    def model(self) -> str:
        return f"{self.market.model_id:#066x}"

    @property
    def circuit(self) -> str:
        return "0x" + self.market.circuit_id.hex()

    def serve(self, model_id: int, circuit_id: bytes, start: int) -> None:
        """Have one job of a model opened, claimed and settled."""
        requester, prover, packed = self.market.funded(), self.market.enrolled(), example_input(start)
        spec = self.market.job_spec(packed, fee=PROVER_FEE)._replace(model_id=model_id, circuit_id=circuit_id)
        job, _ = self.market.jobs.open(requester, spec, packed)
        self.market.jobs.claim(prover, job)
        settlement = Settlement(job, packed, EXAMPLE_OUTPUT, proof_of(packed, EXAMPLE_OUTPUT))
        self.market.jobs.settle(prover, *settlement)

    def register_copy(self, name: bytes, licence: str = "MIT", key: bytes = bytes(32)) -> tuple[int, bytes]:
        """Register another model with a circuit of its own; return both ids."""
        market = self.market
        spec = market.spec._replace(verifying_key_digest=keccak256(name))
        circuit_id, _ = market.router.add(market.deployer, spec)
        digests = [keccak256(name + part) for part in (b"onnx", b"settings", b"manifest")]
        commitment = ModelCommitment(
            (circuit_id,), *digests, bytes(32), key, 0, "bafkreitest", name.decode(), licence
        )
        fees = FeeTerms(model_fee=MODEL_FEE)
        return market.registry.register(market.deployer, commitment, fees)[0], circuit_id

    def prove(self, model_id: int, circuit_id: bytes) -> None:
        """File the genesis proof of a model with one circuit."""
        genesis = self.market.registry.genesis(model_id, circuit_id)
        proof = proof_of(genesis.packed_input, EXAMPLE_OUTPUT)
        self.market.registry.activate(self.market.deployer, model_id, circuit_id, EXAMPLE_OUTPUT, proof)

    def prove_copy(self, name: bytes, key: bytes = bytes(32)) -> tuple[int, bytes]:
        """Register another model and make it PROVEN; return its id and its circuit's."""
        model_id, circuit_id = self.register_copy(name, key=key)
        self.prove(model_id, circuit_id)
        return model_id, circuit_id


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """One chain for this module."""
    home = tmp_path_factory.mktemp("shop") / "home"
    with Anvil.start(home / "chain") as node, closing(Chain(node.endpoint)) as chain:
        market = build_market(chain, home / "deployments")
        (home / "keys").mkdir(mode=0o700)
        key = home / "keys" / "publisher.key"
        key.write_text("0x" + market.deployer.key.hex().removeprefix("0x") + "\n")
        key.chmod(0o600)
        yield Shop(home, node.endpoint, market)


@pytest.fixture
def ask(shop, capsys):
    """Run a command with --json and return its one object."""

    def run_one(*argv: str, code: int = 0, home: bool = True):
        where = ["--home", str(shop.home)] if home else []
        words = [*argv, "--json", "-q", *where, "--rpc-url", shop.endpoint]
        assert run(words) == code, capsys.readouterr()
        return json.loads(capsys.readouterr().out)

    return run_one


@pytest.fixture
def read(shop, capsys):
    """Run a command and return what a person would see on stdout."""

    def run_one(*argv: str):
        assert run([*argv, "-q", "--home", str(shop.home), "--rpc-url", shop.endpoint]) == 0
        return capsys.readouterr().out

    return run_one


@pytest.fixture
def preview(shop, ask):
    """Dry-run a command, check that the chain stays as it is, and return its transactions."""

    def run_one(*argv: str):
        height = shop.market.chain.block().number
        found = ask(*argv, "--dry-run")
        assert found["dry_run"] is True
        assert shop.market.chain.block().number == height
        return found["transactions"]

    return run_one


def units(found) -> int:
    """Return an amount that a command printed."""
    return int(found["units"])


def test_verifier_show__of_a_proven_model__prints_every_pin(shop, ask):
    """What is printed is what the router has: adapter, code hash, key, class, gas, and whose circuit it is."""
    found, spec = ask("verifier", "show", shop.circuit), shop.market.spec
    assert found["adapter"] == spec.adapter
    assert found["adapter_code_hash"] == "0x" + spec.adapter_code_hash.hex()
    assert found["verifying_key"] == "0x" + spec.verifying_key_digest.hex()
    assert (found["class"], found["kind"], found["gas_limit"]) == ("local", "other", 200_000)
    assert (found["model_id"], found["tombstoned"], found["attestations"]) == (shop.model, False, [])


def test_verifier_show__unknown_circuit__error_object(shop, ask):
    """A circuit that the router does not know is an error, and --json says so in one object."""
    assert ask("verifier", "show", "0x" + "12" * 32, code=1)["error"]["type"] == "NotRegisteredError"
    assert ask("verifier", "show", "0x12", code=2)["error"]["type"] == "ConfigError"


def test_verifier_attest__twice__the_later_word_counts(shop, ask, preview, tmp_path):
    """An attestation binds the report's SHA-256; a later one of the same attester replaces it."""
    report = tmp_path / "report.json"
    report.write_text("rebuilt it")
    argv = ("verifier", "attest", shop.circuit, "--report", str(report))
    (planned,) = preview(*argv, "--verdict", "rebuilt")
    assert [event["event"] for event in planned["events"]] == ["CircuitAttested"]
    ask(*argv, "--verdict", "rebuilt", "--report-uri", "https://example.org/1")
    said = ask(*argv, "--verdict", "refuted", "--report-uri", "https://example.org/2")
    (found,) = ask("verifier", "show", shop.circuit)["attestations"]
    assert (found["verdict"], found["report_uri"]) == ("refuted", "https://example.org/2")
    assert found["report"] == said["report"]


def test_verifier_tombstone__by_the_local_deployer__ends_the_circuit(shop, ask, preview):
    """The guardian's word is final: shown with its reason, and jobs of the circuit cannot open."""
    model_id, circuit_id = shop.prove_copy(b"doomed")
    circuit = "0x" + circuit_id.hex()
    argv = ("verifier", "tombstone", circuit, "--reason", "forged proofs are known")
    (planned,) = preview(*argv)
    assert planned["function"] == "VerifierRouter.tombstone"
    assert planned["events"][0]["arguments"]["reason"] == "forged proofs are known"
    ask(*argv)
    found = ask("verifier", "show", circuit)
    assert (found["tombstoned"], found["tombstone_reason"]) == (True, "forged proofs are known")
    assert ask("registry", "show", f"{model_id:#066x}")["circuits"][0]["tombstoned"] is True
    assert ask(*argv, code=1)["error"]["type"] == "TombstonedError"


def test_verifier_tombstone__with_a_guardian_key_of_somebody_else__refused(shop, ask):
    """Where the home has a key of the role guardian, it is the one that signs."""
    key = shop.home / "keys" / "guardian.key"
    stranger = create_key_file(key)
    try:
        shop.market.chain.send_once("anvil_setBalance", [stranger.address, hex(10**18)])
        argv = ("verifier", "tombstone", shop.circuit, "--reason", "mischief")
        assert ask(*argv, code=1)["error"]["type"] == "NotOwnerError"
    finally:
        key.unlink()


def test_registry_show__prints_terms_identity_and_every_circuit(shop, ask, read):
    """Status, both circuits with their batches, fees, licence, and the DID of the model's own account."""
    found = ask("registry", "show", shop.model)
    assert (found["status"], found["licence"], found["closed"]) == ("PROVEN", "MIT", False)
    assert [circuit["inputs_at_once"] for circuit in found["circuits"]] == [1, 2]
    assert found["fees"]["model_fee"] == "1.000000 zUSD"
    assert found["did"] == f"did:ethr:0x7a69:{found['account']}"
    text = read("registry", "show", shop.model)
    assert "1.000000 zUSD" in text
    assert found["did"] in text


def test_registry_set_fee__what_is_not_given__stays(shop, ask, preview):
    """The command changes the terms that it names, and keeps the others as they are."""
    model_id, _ = shop.prove_copy(b"dear")
    model = f"{model_id:#066x}"
    ask("registry", "set-fee", model, "--min-model-fee", "0.5")
    (planned,) = preview("registry", "set-fee", model, "--model-fee", "2")
    assert planned["events"][0]["arguments"]["modelFee"] == 2_000_000
    ask("registry", "set-fee", model, "--model-fee", "2")
    assert shop.market.registry.fee_terms_of(model_id) == FeeTerms(2_000_000, 500_000, 0)
    assert ask("registry", "set-fee", model, "--model-fee", "0.1", code=1)["error"]["type"] == "RegistryError"


def test_registry_set_derivatives__refused__no_child_can_declare_it(shop, ask):
    """A model that refuses derivatives cannot be named as a parent."""
    parent, _ = shop.prove_copy(b"childless")
    child, _ = shop.register_copy(b"unwanted")
    ask("registry", "set-derivatives", f"{parent:#066x}", "--refuse")
    argv = ("lineage", "register", f"{child:#066x}", "--parent", f"{parent:#066x}:50000")
    assert ask(*argv, code=1)["error"]["type"] == "LineageError"


def test_registry_grant_and_open__of_a_closed_model__decide_who_may_prove(shop, ask):
    """Access is granted and taken back by name; opening gives it to everybody."""
    model_id, _ = shop.prove_copy(b"closed", key=keccak256(b"key"))
    model, prover = f"{model_id:#066x}", shop.market.funded().address
    may_prove = shop.market.registry.may_prove
    assert not may_prove(model_id, prover)
    ask("registry", "grant", model, prover)
    assert may_prove(model_id, prover)
    ask("registry", "grant", model, prover, "--revoke")
    assert not may_prove(model_id, prover)
    ask("registry", "open", model)
    assert may_prove(model_id, prover)
    assert ask("registry", "show", model)["closed"] is False


def test_registry_retire__dry_run_then_real__deprecated(shop, ask, preview):
    """Only the real run retires the model."""
    model_id, _ = shop.prove_copy(b"old")
    (planned,) = preview("registry", "retire", f"{model_id:#066x}")
    assert [event["event"] for event in planned["events"]] == ["ModelRetired"]
    assert shop.market.registry.status_of(model_id) is ModelStatus.PROVEN
    assert ask("registry", "retire", f"{model_id:#066x}")["status"] == "DEPRECATED"


def test_did_resolve__by_model_and_by_did__the_same_document(shop, ask, read):
    """Both names give the document that the owner controls; stdout is that document alone."""
    did = ask("registry", "show", shop.model)["did"]
    by_model, by_did = ask("did", "resolve", shop.model), ask("did", "resolve", did)
    assert by_model["didDocument"] == by_did["didDocument"]
    assert by_model["didDocument"]["controller"].endswith(shop.market.deployer.address)
    assert json.loads(read("did", "resolve", did)) == by_did["didDocument"]


@pytest.mark.parametrize(
    "subject", ["did:web:example.org", "did:ethr:0x1:0x" + "11" * 20, "did:ethr:0x7a69:0x1"]
)
def test_did_resolve__another_kind_or_chain__refused(ask, subject):
    """A DID that this chain says nothing of is an error, never an empty document."""
    assert ask("did", "resolve", subject, code=1)["error"]["type"] in ("FormatError", "WrongChainError")


def test_lineage_and_revenue__from_declaration_to_wallet__every_token_where_it_belongs(
    shop, ask, preview, read
):
    """A child's job pays the parent its share: shown, previewed, claimed and withdrawn to the last unit."""
    market, owner = shop.market, shop.market.deployer.address
    parent_id, _ = shop.prove_copy(b"parent")
    child_id, child_circuit = shop.register_copy(b"child")
    parent, child = f"{parent_id:#066x}", f"{child_id:#066x}"
    argv = ("lineage", "register", child, "--parent", f"{parent}:{RATE}", "--max-total", str(RATE))
    (planned,) = preview(*argv)
    assert [event["event"] for event in planned["events"]] == ["LineageDeclared"]
    assert ask(*argv)["parents"] == [{"model_id": parent, "rate_ppm": RATE}]
    shop.prove(child_id, child_circuit)
    shop.serve(child_id, child_circuit, 0)

    shown = ask("revenue", "show", child)
    share = EARNED * RATE // 1_000_000
    assert units(shown["income"]["revenue"]) == EARNED
    assert shown["ancestors"][0]["model_id"] == parent
    assert units(shown["ancestors"][0]["due"]) == share
    assert units(shown["holders_due"]) == EARNED - share
    assert parent in read("revenue", "show", child)

    claim = ("revenue", "claim", parent, "--from", child)
    (planned,) = preview(*claim)
    assert [flow["amount"] for flow in planned["effects"]["flows"]] == [str(share)]
    (sent,) = ask(*claim)["transactions"]
    assert units(sent["moved"][0]["amount"]) == share
    assert units(ask("revenue", "show", parent)["holders_due"]) == share

    before = market.ledger.credits_of(owner)
    ask("revenue", "claim", parent)
    ask("revenue", "claim", child)
    credited = market.ledger.credits_of(owner)
    assert credited - before == EARNED
    platform = ("revenue", "collect-platform", child)
    (planned,) = preview(*platform)
    flat = market.deployment.protocol.platform.flat_fee
    assert [flow["amount"] for flow in planned["effects"]["flows"]] == [str(PLATFORM_PART + int(flat))]
    ask(*platform)

    account = ask("revenue", "show", "--account", owner)
    assert int(account["credits_units"]) == credited + PLATFORM_PART + int(flat)
    wallet = market.token.balance_of(owner)
    (planned,) = preview("revenue", "withdraw")
    assert planned["effects"]["flows"][0]["amount"] == account["credits_units"]
    ask("revenue", "withdraw")
    assert market.token.balance_of(owner) - wallet == int(account["credits_units"])
    assert ask("revenue", "withdraw", code=1)["error"]["type"] == "MarketError"


def test_lineage_show__in_every_format__names_parent_and_child(shop, ask, read, tmp_path):
    """Text, DOT and SVG name both models; JSON carries the edge; --output writes the picture to a file."""
    parent_id, _ = shop.prove_copy(b"elder")
    child_id, _ = shop.register_copy(b"younger")
    parent, child = f"{parent_id:#066x}", f"{child_id:#066x}"
    ask("lineage", "register", child, "--parent", f"{parent}:{RATE}")
    for form in ("text", "dot", "svg", "json"):
        drawn = read("lineage", "show", child, "--format", form)
        assert "elder" in drawn
        assert "younger" in drawn
    assert json.loads(read("lineage", "show", child, "--format", "json")) == ask("lineage", "show", child)
    (edge,) = ask("lineage", "show", parent)["edges"]
    assert edge == {"child": child, "parent": parent, "rate_ppm": RATE, "effective": False}
    picture = tmp_path / "pictures" / "lineage.svg"
    assert str(picture) in read("lineage", "show", child, "--format", "svg", "--output", str(picture))
    assert picture.read_text().startswith("<svg")


@pytest.mark.parametrize(
    "argv",
    [
        ("lineage", "register", "0x1", "--parent", "0x2"),
        ("lineage", "register", "0x1", "--parent", "0x2:0"),
        ("lineage", "register", "0x1", "--parent", "0x2:600000"),
        ("lineage", "register", "0x1", "--parent", "0x2:1", "--parent", "0x2:2"),
        ("revenue", "show"),
        ("revenue", "show", "0x1", "--account", "0x" + "11" * 20),
        ("revenue", "show", "--account", "0x12"),
        ("revenue", "claim", "0x1", "--from", "0x2", "--part", "stakers"),
        ("registry", "grant", "0x1", "nobody"),
        ("verifier", "tombstone", "0x1", "--reason", "x"),
    ],
)
def test_arguments__malformed__exit_2_before_anything_is_asked(ask, argv):
    """What cannot be meant is a usage error, told in one object."""
    assert ask(*argv, code=2)["error"]["type"] == "ConfigError"


def test_chain_deploy__on_a_deployed_chain__prints_contracts_and_offices(shop, ask):
    """It deploys nothing, and says who owns the protocol, who guards it and who takes its income."""
    found, deployment = ask("chain", "deploy"), shop.market.deployment
    assert found["contracts"] == deployment.addresses
    assert found["offices"]["owner"] == deployment.timelock.address
    assert found["offices"]["guardian"] == shop.market.deployer.address
    assert found["platform"] == {"fee_ppm": 25_000, "flat_fee": "0.010000 zUSD"}


def test_chain_deploy__with_offices_and_terms__the_contracts_have_them(shop, ask, tmp_path):
    """Guardian, treasury and the platform's part are the options', as the admin contract says itself."""
    guardian, treasury = (shop.market.funded().address for _ in range(2))
    offices = ("--guardian", guardian, "--treasury", treasury)
    terms = ("--platform-fee", "50000", "--platform-flat-fee", "5")
    elsewhere = ("--home", str(tmp_path / "home"))
    planned = ask("chain", "deploy", *offices, *terms, "--dry-run", *elsewhere, home=False)
    assert (planned["recorded"], len(planned["contracts"])) == (False, 18)
    found = ask("chain", "deploy", *offices, *terms, *elsewhere, home=False)
    assert (found["offices"]["guardian"], found["offices"]["treasury"]) == (guardian, treasury)
    assert found["platform"] == {"fee_ppm": 50_000, "flat_fee": "0.000005 zUSD"}
    assert found["contracts"]["admin"] != shop.market.deployment.admin.address
