"""OCTET circuits on a real node: pinned in one transaction, verified for one context, inspected, rebuilt, attested.

What a proof must not get past is in the tests of the verifier itself; here is what stands around it.
"""

import contextlib
import dataclasses
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from octet_bundles import SAMPLES, compile_small, lying, octet, other_bundle, small_bundle, small_model

from circuits.bundle import Bundle
from circuits.ceremony_constants import ceremony_constants
from circuits.key_rebuilding import verify_keys
from circuits.octet.system import DEFAULT_LIMITS
from circuits.single_proof import prove_input
from circuits.srs_file import ceremony_verification_srs
from circuits.verifier_source import choose_verifier, verifier_source
from prover_nodes.circuit_port import BundleCircuit
from prover_nodes.policy import SkipCode
from prover_nodes.services.inspect import inspect_gas_limit, inspect_verifier
from verifier_contracts.artifacts import load_artifact
from verifier_contracts.ceremonies import PUBLIC_CEREMONIES
from verifier_contracts.deploy import deploy_core
from verifier_contracts.deploy_verifier import PinnedCircuit
from verifier_contracts.deployed_verifier import DeployedVerifier
from verifier_contracts.local_evm import LocalEvm
from verifier_contracts.octet_key import OctetKey
from verifier_contracts.router import Verdict
from verifier_contracts.shared_verifier import add_shared_circuit, find_shared_verifier
from verifier_contracts.sources import read_source
from zkml import wiring
from zkml.adapters.evm.abi import decode_values, encode_call, encode_constructor, function
from zkml.adapters.evm.anvil import Anvil
from zkml.adapters.evm.reverts import RevertDecoder
from zkml.adapters.evm.rpc import Chain
from zkml.adapters.keys.dev_keys import dev_account
from zkml.audit.circuit_audit import audit_circuit
from zkml.audit.evidence import Contracts
from zkml.circuit_verifiers import make_shared, make_shared_key, make_verifier
from zkml.core.digests import keccak256
from zkml.core.identifiers import VerifierClass
from zkml.core.progress import silent
from zkml.core.records import from_hex
from zkml.core.tensors import InputDomain
from zkml.errors import (
    DomainError,
    FormatError,
    LayoutError,
    ProofRejectedError,
    RevertedError,
    UnsuitableCircuitError,
    VerifierMismatchError,
)
from zkml.publish.plan import plan_circuit
from zkml.publish.verifiers import pin_circuit, terms_for
from zkml.wiring import Market

pytestmark = pytest.mark.integration

DEPLOYER = dev_account(31337)
CONTEXT = keccak256(b"job 7, for its payee")
SOMEONE = "0x00000000000000000000000000000000000A11cE"
SENDER = "0x00000000000000000000000000000000000d3910"
"""Who sends what the EVM in process runs."""


@dataclass
class World:
    """A chain with all contracts, and the small bundle's circuit on it."""

    market: Market
    folder: Path
    pinned: PinnedCircuit

    def pin(self, bundle: Bundle, kind=None) -> PinnedCircuit:
        return pin_circuit(
            self.market,
            DEPLOYER,
            bundle,
            octet(),
            kind,
            cache_dir=self.folder / "verifiers",
            scratch=self.folder / "scratch",
        )

    def inspect(self, spec, code_of=None) -> DeployedVerifier:
        chain = self.market.chain
        return DeployedVerifier(spec, code_of or chain.code, chain_id=chain.chain_id)

    def audit(self, circuit_id: bytes, directory: Path):
        def make(bundle, kind):
            return make_verifier(bundle, kind, cache_dir=self.folder / "verifiers").expected

        return audit_circuit(
            circuit_id,
            self.market.chain,
            Contracts.of(self.market.deployment),
            directory,
            rebuild_key=verify_keys,
            rebuild_verifier=make,
        )


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("octet")
    with Anvil.start(folder / "chain") as node, Chain(node.endpoint) as chain:
        market = wiring.bind(chain, deploy_core(chain, DEPLOYER, folder=folder))
        found = World(market, folder, None)
        found.pinned = found.pin(small_bundle())
        yield found


@pytest.fixture(scope="module")
def claim(tmp_path_factory) -> dict[str, bytes]:
    """A proof of the small bundle that is bound to `CONTEXT`."""
    bundle, system = small_bundle(), octet()
    packed = system.quantize_input(bundle, SAMPLES[3])
    path = tmp_path_factory.mktemp("proof") / "witness"
    proof = prove_input(bundle, system, packed, path, context=CONTEXT)
    return {
        "packed_input": from_hex(proof.input),
        "packed_output": from_hex(proof.output),
        "proof": from_hex(proof.proof),
    }


def changed(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


# --- pinned -----------------------------------------------------------------------------------------


def test_pin__a_circuit__one_key_under_the_deployments_own_factory(world):
    """The usual verifier of an OCTET circuit is the deployment's shared one, and no compiler was needed for it."""
    pinned, deployment = world.pinned, world.market.deployment
    assert (pinned.is_new, pinned.inner) == (True, None)
    assert pinned.spec.verifying_key_digest == make_shared_key(small_bundle()).digest
    assert pinned.spec.weight_commitment == bytes(32)
    system = make_shared(small_bundle(), cache_dir=world.folder).expected.system
    shared = find_shared_verifier(world.market.chain, deployment, system, None, folder=world.folder)
    assert (shared.factory.address, shared.verifier) == (deployment.verifiers.address, pinned.verifier)
    again = world.pin(small_bundle())
    assert (again.circuit_id, again.is_new) == (pinned.circuit_id, False)


def test_pin__another_circuit__another_adapter_of_the_same_code(world):
    """A new model brings a key and a clone of 181 bytes."""
    second = world.pin(other_bundle())
    assert second.spec.adapter != world.pinned.spec.adapter
    assert second.verifier == world.pinned.verifier
    assert len(world.market.chain.code(second.spec.adapter)) == 45 + 136


def test_plan__of_a_circuit__one_transaction_or_none(world):
    """A dry run says what adding would send: the factory's one call, or nothing where it is done."""
    cache = world.folder / "verifiers"
    planned, steps = plan_circuit(world.market, DEPLOYER.address, small_bundle(), None, cache_dir=cache)
    assert not planned
    assert steps[0].startswith("nothing")
    fresh = compile_small(world.folder / "fresh", small_bundle().path.parent / "srs", seed=2)
    planned, steps = plan_circuit(world.market, DEPLOYER.address, fresh, None, cache_dir=cache)
    [call] = planned
    assert (call.target, call.function) == (
        world.market.deployment.verifiers.address,
        "OctetSharedVerifierFactory.storeKeyAndAddCircuit",
    )
    assert 500_000 < call.gas < 5_000_000
    assert steps == ["prove a sample, whose verification says what gas limit is pinned"]


def test_generated__of_octet__refused_by_name(world):
    """No verifier is generated for an OCTET circuit; who asks for one is told what there is."""
    with pytest.raises(UnsuitableCircuitError, match="shared"):
        choose_verifier(small_bundle().manifest, "generated")
    with pytest.raises(UnsuitableCircuitError):
        verifier_source(small_bundle())
    with pytest.raises(UnsuitableCircuitError):
        world.pin(small_bundle(), "generated")


def test_add__domain_that_is_not_the_keys__refused_here_and_by_the_factory(world):
    """Beyond the domain of its key a circuit's input words are those of other inputs: nobody is to add it."""
    made = make_shared(small_bundle(), cache_dir=world.folder).expected
    terms = terms_for(small_bundle(), made, 1_000_000, VerifierClass.LOCAL)
    wide = dataclasses.replace(terms, domain=InputDomain(terms.domain.minimum, terms.domain.maximum - 1))
    shared = find_shared_verifier(
        world.market.chain, world.market.deployment, made.system, None, folder=world.folder
    )
    with pytest.raises(LayoutError):
        add_shared_circuit(DEPLOYER, world.market.router, shared, made.key, wide)
    call = (wide.weight_commitment, wide.proof_system_id, wide.layout.as_abi(), wide.domain.as_abi())
    arguments = (*call, wide.gas_limit, wide.verifier_class)
    with pytest.raises(RevertedError, match="InputDomainMismatch"):
        shared.factory.simulate(
            DEPLOYER.address, "addCircuit", world.market.router.address, made.key.digest, arguments
        )


# --- verified ---------------------------------------------------------------------------------------


def test_verify__a_proof_for_one_context__accepted_there_and_nowhere_else(world, claim):
    """Chain and client accept a proof for what it was made for; stolen for another job it is worth nothing."""
    pinned, router = world.pinned, world.market.router
    router.verify(pinned.circuit_id, CONTEXT, *claim.values())
    deployed = world.inspect(pinned.spec)
    gas = deployed.verify(context=CONTEXT, **claim)
    assert 100_000 < gas < pinned.spec.gas_limit
    for other in (bytes(32), keccak256(b"another payee")):
        with pytest.raises(ProofRejectedError):
            router.verify(pinned.circuit_id, other, *claim.values())
        with pytest.raises(ProofRejectedError):
            deployed.verify(context=other, **claim)


@pytest.mark.parametrize("part", ["packed_input", "packed_output", "proof"])
def test_verify__one_bit_changed__refused_on_chain_and_in_process(part, world, claim):
    """Another input, output or proof is refused by the chain and by the same code here."""
    lie = claim | {part: changed(claim[part])}
    with pytest.raises((ProofRejectedError, DomainError)):
        world.market.router.verify(world.pinned.circuit_id, CONTEXT, *lie.values())
    with pytest.raises((ProofRejectedError, DomainError)):
        world.inspect(world.pinned.spec).verify(context=CONTEXT, **lie)


def test_verify__under_another_models_key__refused(world, claim):
    """The key that the adapter pins decides which model a proof is of."""
    other = world.pin(other_bundle())
    with pytest.raises(ProofRejectedError):
        world.market.router.verify(other.circuit_id, CONTEXT, *claim.values())


# --- inspected --------------------------------------------------------------------------------------


def test_difference__the_same_bundle__none_and_each_change_named(world):
    """Key, layout and code of a deployed circuit are each compared with the bundle's own."""
    deployed = world.inspect(world.pinned.spec)
    expected = make_verifier(small_bundle(), None, cache_dir=world.folder).expected
    assert (deployed.kind, deployed.system, deployed.inner_address) == ("shared", expected.system, None)
    assert deployed.verifier_address == world.pinned.verifier
    assert expected.difference_from(deployed) is None
    other = make_verifier(other_bundle(), None, cache_dir=world.folder).expected
    assert "another key" in other.difference_from(deployed)
    wide = dataclasses.replace(expected.layout, input_count=5)
    assert "layout" in dataclasses.replace(expected, layout=wide).difference_from(deployed)
    assert "adapter" in dataclasses.replace(expected, system=None).difference_from(deployed)
    assert "code" in dataclasses.replace(expected, inner_code=b"\0").difference_from(deployed)


def test_inspect__clone_of_code_that_is_almost_ours__is_other(world):
    """One changed byte of the shared code, immutables aside, and nothing that the clone says counts."""
    spec, chain = world.pinned.spec, world.market.chain
    implementation = world.inspect(spec).shared.implementation
    artifact = load_artifact("OctetSharedVerifier")
    place = next(at for at in range(len(artifact.runtime_code) - 1, 0, -1) if artifact.runtime_code[at])

    def code_of(address: str) -> bytes:
        code = chain.code(address)
        if address != implementation:
            return code
        return code[:place] + bytes([code[place] ^ 1]) + code[place + 1 :]

    deployed = world.inspect(spec, code_of)
    assert (deployed.kind, deployed.is_shipped_adapter) == ("other", False)


def test_inspect__stored_key_is_another__refused(world):
    """An endpoint that serves other words for the key is found out before they run."""
    place = world.inspect(world.pinned.spec).shared.key_addresses[0]

    def lying_code(address: str) -> bytes:
        code = world.market.chain.code(address)
        return changed(code) if address == place else code

    with pytest.raises(VerifierMismatchError, match="another"):
        world.inspect(world.pinned.spec, lying_code)


def test_node__looks_at_the_circuit__finds_nothing_foreign_and_gas_enough(world, tmp_path):
    """A node that has the bundle makes the same key and measures the same gas as the publisher did."""
    spec, chain = world.pinned.spec, world.market.chain
    with open_node_circuit(tmp_path) as circuit:
        assert circuit.shared_key_digest() == spec.verifying_key_digest
        assert inspect_verifier(spec, circuit, code_of=chain.code, chain_id=chain.chain_id) is None
        assert inspect_gas_limit(spec, circuit, progress=silent) is None
        little = spec._replace(gas_limit=spec.gas_limit * 3 // 4)
        assert inspect_gas_limit(little, circuit, progress=silent).code is SkipCode.FOREIGN_VERIFIER


def test_node__circuit_too_large_for_a_key__has_no_digest_of_one(monkeypatch, tmp_path):
    """What no contract can hold is a circuit that the node leaves alone, and no end of the node."""

    def too_large(bundle):
        raise UnsuitableCircuitError("expected at most 2047 words, found 3000")

    monkeypatch.setattr("prover_nodes.circuit_port.make_shared_key", too_large)
    with open_node_circuit(tmp_path) as circuit:
        assert circuit.shared_key_digest() is None


def test_node__entry_under_the_key_files_own_digest__left_alone(world, tmp_path):
    """A router entry that speaks of a generated verifier, which OCTET has none of, is skipped and ends nothing."""
    chain = world.market.chain
    with open_node_circuit(tmp_path) as circuit:
        spec = world.pinned.spec._replace(verifying_key_digest=circuit.verifying_key_digest)
        skip = inspect_verifier(spec, circuit, code_of=chain.code, chain_id=chain.chain_id)
    assert skip.code is SkipCode.FOREIGN_VERIFIER


@contextlib.contextmanager
def open_node_circuit(folder: Path):
    circuit = BundleCircuit(
        small_bundle(), octet(), work=folder / "work", verifiers=folder / "verifiers", limits=DEFAULT_LIMITS
    )
    with contextlib.closing(circuit):
        yield circuit


# --- rebuilt and attested ---------------------------------------------------------------------------


def test_audit_circuit__from_the_onnx_file__rebuilt_and_attested(world):
    """Whoever has the bundle makes the chain's key again from model and recipe, and may say so in public."""
    circuit_id = world.pinned.circuit_id
    report = world.audit(circuit_id, small_bundle().path)
    assert report.exit_code == 0, report.as_text()
    router = world.market.router
    router.attest(DEPLOYER, circuit_id, Verdict.REBUILT, keccak256(b"report"), "")
    (said,) = router.attestations(circuit_id, from_block=world.market.deployment.block)
    assert (said.attester, said.verdict) == (DEPLOYER.address, Verdict.REBUILT)


def test_audit_circuit__another_models_bundle__rejected_at_step_4(world):
    """A bundle that is sound in itself but of other weights makes another key."""
    report = world.audit(world.pinned.circuit_id, other_bundle().path)
    assert report.rejected_steps == (4,), report.as_text()


def test_audit_circuit__onnx_of_another_model_in_the_bundle__rejected_at_step_3(world, tmp_path):
    """A key beside a model that it is not of is found by making it again."""
    swapped = lying(small_bundle(), tmp_path / "swapped", {"onnx": small_model(1)})
    report = world.audit(world.pinned.circuit_id, swapped.path)
    assert report.rejected_steps == (3,), report.as_text()


def test_audit_circuit__without_the_onnx_file__no_verdict(world, tmp_path):
    """OCTET's key binds the weights: of a closed model only the owner can make it again."""
    shutil.copytree(small_bundle().path, tmp_path / "closed")
    (tmp_path / "closed" / small_bundle().manifest.files["onnx"].path).unlink()
    report = world.audit(world.pinned.circuit_id, tmp_path / "closed")
    assert report.exit_code == 4, report.as_text()


# --- the key's words --------------------------------------------------------------------------------


def test_key__of_a_bundle__has_its_ceremony_and_tensors():
    """The header names the SRS's point, as `ceremony_constants` reads it from the file, and the packed tensors."""
    key, manifest = make_shared_key(small_bundle()), small_bundle().manifest
    assert key.ceremony_constants == ceremony_constants(small_bundle().file("verification_srs"))
    key.check_tensors(manifest.tensor_layout, manifest.input_domain)
    domain = manifest.input_domain
    with pytest.raises(LayoutError):
        key.check_tensors(manifest.tensor_layout, InputDomain(domain.minimum - 1, domain.maximum))
    with pytest.raises(LayoutError):
        key.check_tensors(dataclasses.replace(manifest.tensor_layout, output_count=4), domain)


def test_key__generators__are_those_that_routers_ask_for(tmp_path):
    """G1 and G2 of a ceremony's file, EIP-197's, are what every OCTET key is taken to have."""
    path = tmp_path / "ceremony.srs"
    path.write_bytes(ceremony_verification_srs())
    found = make_shared_key(small_bundle()).ceremony_constants
    assert found[:6] == ceremony_constants(path)[:6]
    assert found[6:] != ceremony_constants(path)[6:]


@pytest.mark.parametrize("cut", [lambda d: d[:-1], lambda d: d[: 32 * 8], lambda d: d * 300, lambda d: b""])
def test_parse_key__no_whole_number_of_words_or_too_many__refused(cut):
    """A key is 9 to 2,047 words."""
    data = b"".join(make_shared_key(small_bundle()).words)
    assert OctetKey.parse(data).words == make_shared_key(small_bundle()).words
    with pytest.raises(FormatError):
        OctetKey.parse(cut(data))


def test_key_places__in_python__are_those_of_the_contracts():
    """The few words that both languages read stand where OctetKey.sol says."""
    source = read_source("verifier_contracts/src/OctetKey.sol")
    for line in ("LAYOUT_WORD = 3;", "TAU_WORD = 5;", "HEADER_WORDS = 9;", "MAX_WORDS = 2_047;"):
        assert line in source


# --- the class of audited code ----------------------------------------------------------------------


class Ceremony:
    """An EVM with a router that lists some ceremonies, an admin and the factory."""

    def __init__(self, ceremonies, *, audits: bool) -> None:
        names = ("ProtocolAdmin", "VerifierRouter", "OctetSharedVerifierFactory", "OctetSharedVerifier")
        self.evm = LocalEvm(chain_id=1, reverts=RevertDecoder(load_artifact(name).abi for name in names))
        self.admin = self.deploy("ProtocolAdmin", SENDER, SOMEONE, SOMEONE, (0, 0), (0, 0))
        self.router = self.deploy("VerifierRouter", self.admin, list(ceremonies))
        self.factory = self.deploy("OctetSharedVerifierFactory")
        if audits:
            (implementation,) = self.call("OctetSharedVerifierFactory", self.factory, "IMPLEMENTATION")
            self.send(
                "ProtocolAdmin", self.admin, "addAuditedVerifier", self.evm.code_hash_at(implementation)
            )

    def deploy(self, name: str, *arguments) -> str:
        artifact = load_artifact(name)
        return self.evm.deploy(artifact.creation_code, encode_constructor(artifact.abi, arguments))

    def send(self, name: str, to: str, method: str, *arguments) -> tuple:
        entry = function(load_artifact(name).abi, method)
        done = self.evm.transact(to, encode_call(entry, arguments))
        return decode_values(entry.outputs, done.data, where=method)

    def call(self, name: str, to: str, method: str, *arguments) -> tuple:
        entry = function(load_artifact(name).abi, method)
        data = self.evm.call(to, encode_call(entry, arguments)).data
        return decode_values(entry.outputs, data, where=method)

    def add(self, key: OctetKey, terms) -> bytes:
        packed = (
            terms.weight_commitment,
            terms.proof_system_id,
            terms.layout.as_abi(),
            terms.domain.as_abi(),
            terms.gas_limit,
            VerifierClass.CEREMONY,
        )
        arguments = (self.router, key.words, packed)
        return self.send("OctetSharedVerifierFactory", self.factory, "storeKeyAndAddCircuit", *arguments)[0]


def test_ceremony__listed_tau_and_audited_code__is_accepted_and_verifies(claim):
    """On a public chain's id, with this test's own SRS on the list as if it were a ceremony, a real key reaches the class.

    The same key is refused where its SRS is not on the list, and where nobody audited the code.
    """
    made = make_shared(small_bundle(), cache_dir=Path("unused")).expected
    key = made.key
    terms = terms_for(small_bundle(), made, 2_000_000, VerifierClass.CEREMONY)
    here = (
        "the SRS of this test",
        tuple(number.to_bytes(32, "big") for number in key.ceremony_constants[6:]),
    )
    ceremony = Ceremony([here], audits=True)
    circuit_id = ceremony.add(key, terms)
    verify = ("VerifierRouter", ceremony.router, "verify", circuit_id)
    ceremony.call(*verify, CONTEXT, *claim.values())
    with pytest.raises(RevertedError, match="ProofRejected"):
        ceremony.call(*verify, bytes(32), *claim.values())
    with pytest.raises(RevertedError, match="NotAudited"):
        Ceremony([here], audits=False).add(key, terms)
    with pytest.raises(RevertedError, match="ForeignCeremony"):
        Ceremony(PUBLIC_CEREMONIES, audits=True).add(key, terms)
