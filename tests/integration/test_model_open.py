"""What was sold, opened on a real node: the honest model, another one, weights that differ, damage, no reveal yet."""

import contextlib
import http.server
import json
import shutil
import threading

import pytest
from ezkl_circuits import committed_lab, lab, octet_lab, write_mlp

from circuits.key_rebuilding import verify_revealed
from circuits.srs_file import ceremony_verification_srs
from marketplace.opening import refutation_of
from marketplace.sealed_store import find_record
from marketplace.sealing import seal_file
from zkml.adapters.evm.anvil import Anvil
from zkml.adapters.evm.rpc import Chain
from zkml.adapters.keys.key_files import load_key_file
from zkml.adapters.process.child import Limits
from zkml.audit.artifact_audit import OpeningTools, SoldArtifact, audit_artifact
from zkml.audit.evidence import Contracts
from zkml.audit.report import Outcome
from zkml.circuit_verifiers import make_verifier
from zkml.cli.main import run
from zkml.config.home import Home
from zkml.core.artifact_encryption import ArtifactKey
from zkml.core.cid import parse_cid
from zkml.core.dids import did_of
from zkml.core.digests import keccak256
from zkml.core.identifiers import FeeTerms
from zkml.core.offering_terms import OfferingTerms
from zkml.errors import VerifierMismatchError
from zkml.publish.artifact_keys import key_of
from zkml.wiring import open_market, open_store

pytestmark = pytest.mark.integration
DAY = 86_400
FEES = FeeTerms(500_000, 100_000, 10_000)
STRANGE = ArtifactKey(keccak256(b"a key that nobody committed to"))


LIMITS = Limits(memory_bytes=8 << 30, wall_seconds=600)


def unopened(bundle, onnx):
    pytest.fail("opened")


class Studio:
    """A home with a chain, and a command line on both."""

    def __init__(self, folder, chain):
        self.folder, self.home = folder, Home(folder / "home")
        self.chain = ("--home", str(self.home.root), "--rpc-url", chain.endpoint)
        assert run(["chain", "deploy", "-q", *self.chain]) == 0
        self.market = open_market(self.home, chain)
        self.creator = load_key_file(self.home.keys / "publisher.key")
        self.buyer = load_key_file(self.home.keys / "requester.key")

    def offer(self, model_id, artifact):
        """Offer a model with this artifact; one buyer takes everything. Returns the offering's number."""
        market = self.market
        terms = OfferingTerms(
            model_id=model_id,
            total_shares=100,
            price=1_000_000,
            bond=10_000_000,
            window_seconds=DAY,
            seed_ppm=100_000,
            vesting_seconds=90 * DAY,
            lp_lock_seconds=180 * DAY,
            fees=FEES,
            max_model_fee=1_000_000,
            successor_rate_ppm=50_000,
            guardian=self.buyer.address,
            artifact=artifact,
            name="Tiny",
            symbol="TINY",
        )
        market.registry.contract.transact(self.creator, "approve", market.offerings.address, model_id)
        market.token.ensure_allowance(self.creator, market.offerings.address, terms.bond)
        number, _ = market.offerings.open(self.creator, terms)
        market.token.ensure_allowance(self.buyer, market.offerings.address, 51_000_000)
        market.offerings.reserve(self.buyer, number, 51)
        return number

    def audit(self, model_id, artifact, key, target, find_file, rebuild_key=unopened):
        """Audit an artifact, without rebuilding anything unless it is said how."""
        scratch = target.with_name("bundle")
        scratch.mkdir()
        home, market = self.home, self.market
        tools = OpeningTools(
            find_file,
            rebuild_key=rebuild_key,
            rebuild_verifier=lambda bundle, kind: (
                make_verifier(bundle, kind, cache_dir=home.verifiers).expected
            ),
            scratch=scratch,
            target=target,
        )
        sold, contracts = SoldArtifact(model_id, artifact, key), Contracts.of(market.deployment)
        return audit_artifact(sold, market.chain, contracts, open_store(home), tools)

    def stranger(self):
        """Return a home that knows the deployment, and has compiled verifiers before."""
        home = Home(self.folder / "stranger")
        shutil.copytree(self.home.deployments, home.deployments)
        shutil.copytree(self.home.verifiers, home.verifiers)
        return home

    def stored(self, cid):
        """Return a stored file."""
        return open_store(self.home).path_of(parse_cid(cid))


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    folder = tmp_path_factory.mktemp("opening")
    with Anvil.start(folder / "node") as node, Chain(node.endpoint) as chain:
        yield Studio(folder, chain)


@pytest.fixture
def ask(studio, capsys):
    """Run a command with --json and return its one object."""

    def run_one(*argv, code=0, home=studio.home):
        capsys.readouterr()
        words = [*argv, "--json", "--home", str(home.root), *studio.chain[2:]]
        assert run(words) == code, capsys.readouterr()
        out, err = capsys.readouterr()
        return json.loads(out), err

    return run_one


@contextlib.contextmanager
def mirror_of(folder):
    """Serve a folder as any web server does."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=folder)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def registration(seed):
    """Return the command that registers a model with committed weights, sealed."""
    bundle = str(committed_lab(seed).bundle.path)
    fees = ("--model-fee", "0.5", "--min-model-fee", "0.1", "--min-model-fee-part", "10000")
    return ("registry", "register", bundle, "--seal", *fees)


def outcomes(report):
    return [step["outcome"] for step in report["steps"]]


def rejected(report):
    return [step["number"] for step in report["steps"] if step["outcome"] == "rejected"]


def test_sold__honest_model__opens_to_what_was_proved(studio, ask, tmp_path):
    """From --seal to the verdict by command: the key is made once, kept back, and opens the very model that was proved."""
    market, argv = studio.market, registration(3)
    planned, _ = ask(*argv, "--dry-run")
    assert planned["then"][0].startswith("encrypt the ONNX file")
    assert not studio.home.artifact_keys.exists()
    assert run([*argv, "--closed", "ab" * 32, *studio.chain]) == 2

    made, told = ask(*argv)
    model = int(made["model_id"], 16)
    commitment = market.registry.commitment_of(model)
    key = key_of(studio.home.artifact_keys, commitment.key_commitment)
    assert made["sealed"]["key_commitment"] == "0x" + commitment.key_commitment.hex()
    assert made["sealed"]["key_file"] in " ".join(told.split())
    assert "back it up" in told
    assert key.secret.hex() not in json.dumps(made) + told
    again, _ = ask(*argv)
    assert (again["registered_now"], again["sealed"]) == (False, made["sealed"])

    record = find_record(studio.home.sealed, commitment.key_commitment)
    number = studio.offer(model, record.artifact)
    before, _ = ask("model", "open", made["model_id"], code=4)
    assert outcomes(before) == ["ok"] * 3 + ["inconclusive", "skipped", "skipped", "skipped", "ok"]

    market.offerings.reveal(studio.creator, number, key)
    opened = tmp_path / "opened.onnx"
    did = did_of(market.chain.chain_id, market.registry.account_of(model))
    report, _ = ask("model", "open", did, "--out", str(opened))
    assert outcomes(report) == ["ok"] * 8
    assert (report["verdict"], report["offering_id"]) == ("accepted", number)
    assert report["meaning"] == "what was sold is what was proved"
    assert opened.read_bytes() == committed_lab(3).bundle.file("onnx").read_bytes()

    # A stranger has the chain, a mirror of the creator's artifacts, and nothing else.
    stranger = studio.stranger()
    with mirror_of(studio.home.artifacts) as url:
        fetched, _ = ask("model", "fetch", made["model_id"], url, home=stranger)
    assert (fetched["offered"], fetched["missing"]) == (True, [])
    srs = tmp_path / "k1.srs"
    srs.write_bytes(b"no SRS")
    refused, _ = ask("model", "open", made["model_id"], "--srs", str(srs), home=stranger, code=1)
    assert (refused["error"]["type"], stranger.srs.exists()) == ("SrsError", False)
    srs.write_bytes(ceremony_verification_srs())
    judged, _ = ask("model", "open", made["model_id"], "--srs", str(srs), home=stranger)
    assert (judged["verdict"], len(list(stranger.srs.iterdir()))) == ("accepted", 1)
    assert not stranger.artifact_keys.exists()


@pytest.fixture(scope="module")
def sealed(studio):
    """Another model, sealed by command: its id, its key and the record of its file."""
    assert run([*registration(4), "-q", *studio.chain]) == 0
    *_, entry = studio.market.registry.registrations(from_block=0)
    commitment = studio.market.registry.commitment_of(entry.model_id).key_commitment
    key = key_of(studio.home.artifact_keys, commitment)
    return entry.model_id, key, find_record(studio.home.sealed, commitment)


def test_sold__another_model_than_was_proved__differs(studio, ask, sealed, tmp_path):
    """Other weights, sealed under the same architecture, key and registration, are found: exit code 3."""
    model, key, _ = sealed
    swapped = seal_file(committed_lab(3).bundle.file("onnx"), tmp_path / "swapped", key)
    number = studio.offer(model, swapped)
    studio.market.offerings.reveal(studio.creator, number, key)
    report, told = ask("model", "open", f"{model:#x}", "--sealed", str(tmp_path / "swapped"), code=3)
    assert rejected(report) == [5, 6]
    assert f"the guardian {studio.buyer.address} can end offering {number}" in " ".join(told.split())
    assert report["meaning"] == "what was sold differs from what was proved"
    assert "expected the weights that every proof is about" in report["steps"][6]["detail"]
    without, _ = ask("model", "open", f"{model:#x}", code=4)
    assert outcomes(without)[2] == "inconclusive"


@pytest.mark.parametrize(
    ("flaw", "code", "step"),
    [("damaged", 4, 2), ("missing", 4, 2), ("key of another", 3, 3), ("sealed with another key", 3, 4)],
)
def test_sold__damage_and_wrong_keys__are_told_apart(studio, sealed, tmp_path, flaw, code, step):
    """A damaged or missing file is no verdict against the creator; a key that opens nothing is, and can be challenged."""
    model, key, record = sealed
    published = tmp_path / "published"
    artifact = record.artifact
    if flaw == "sealed with another key":
        artifact = seal_file(committed_lab(4).bundle.file("onnx"), published, STRANGE)
        assert refutation_of(published, artifact, key).index == 0
    elif flaw != "missing":
        data = bytearray(studio.stored(record.cid).read_bytes())
        data[100] ^= flaw == "damaged"
        published.write_bytes(data)
    revealed = STRANGE if flaw == "key of another" else key
    report = studio.audit(model, artifact, revealed, tmp_path / "plain", lambda *_: published)
    assert (report.exit_code, report.step(step).outcome) == (
        code,
        Outcome.REJECTED if code == 3 else Outcome.INCONCLUSIVE,
    )
    assert not (tmp_path / "plain").exists()


def test_sold__a_circuit_of_octet__opens_to_what_was_proved_and_to_nothing_else(studio, ask, tmp_path):
    """Its key is rebuilt from the revealed model by its recipe, and so another model of that shape is found."""
    made = octet_lab()
    fees = ("--model-fee", "0.5", "--min-model-fee", "0.1", "--min-model-fee-part", "10000")
    model = int(ask("registry", "register", str(made.bundle.path), "--seal", *fees)[0]["model_id"], 16)
    commitment = studio.market.registry.commitment_of(model).key_commitment
    key, record = key_of(studio.home.artifact_keys, commitment), find_record(studio.home.sealed, commitment)
    number = studio.offer(model, record.artifact)
    before, _ = ask("model", "open", f"{model:#x}", code=4)
    assert outcomes(before) == ["ok"] * 3 + ["inconclusive", "skipped", "skipped", "skipped", "ok"]
    studio.market.offerings.reveal(studio.creator, number, key)
    report, _ = ask("model", "open", f"{model:#x}")
    assert outcomes(report) == ["ok"] * 8
    other = write_mlp(tmp_path / "other.onnx", seed=4)
    swapped = seal_file(other, tmp_path / "swapped", key)
    found = studio.audit(model, swapped, key, tmp_path / "plain", lambda *_: tmp_path / "swapped", rebuilt)
    assert found.rejected_steps == (5, 6)


def rebuilt(bundle, onnx):
    """Rebuild the key with the SRS of the tests."""
    return verify_revealed(bundle, onnx, octet_lab().bundle.file("srs"), limits=LIMITS)


@pytest.mark.parametrize("made", [lab, octet_lab], ids=["ezkl", "octet"])
def test_rebuild__fixed_weights_of_another_model__not_the_key(made, tmp_path):
    """Where the key binds the weights, other weights, another activation and junk give another key or none."""
    relu = made()
    srs = relu.bundle.file("srs")
    assert verify_revealed(relu.bundle, relu.onnx, srs, limits=LIMITS) == relu.bundle.manifest.verifying_key
    others = [write_mlp(tmp_path / "seed.onnx", seed=4), tmp_path / "junk.onnx"]
    others.append(write_mlp(tmp_path / "other.onnx", "Sigmoid"))
    others[1].write_bytes(b"no model at all")
    for other in others:
        with pytest.raises(VerifierMismatchError):
            verify_revealed(relu.bundle, other, srs, limits=LIMITS)
