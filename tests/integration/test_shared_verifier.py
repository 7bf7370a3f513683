"""The shared verifier on a real node: a circuit costs one transaction and no compiler, and is inspected as strictly."""

import dataclasses

import pytest
from ezkl_circuits import Lab, batch_lab, committed_lab, relu

from circuits.ceremony_constants import ceremony_constants
from circuits.srs_file import ceremony_verification_srs
from circuits.verifier_source import shared_key, shared_verifier_source
from verifier_contracts.artifacts import ContractArtifact, load_artifact
from verifier_contracts.deploy import deploy_contract, deploy_core
from verifier_contracts.deploy_verifier import VerifierTerms
from verifier_contracts.deployed_verifier import DeployedVerifier
from verifier_contracts.deployments import Deployment
from verifier_contracts.expected_verifier import ExpectedGenerated, ExpectedShared
from verifier_contracts.ezkl_key import EzklKey
from verifier_contracts.router import VerifierRouter
from verifier_contracts.shared_adapter import SharedAdapter
from verifier_contracts.shared_systems import shared_system
from verifier_contracts.shared_verifier import (
    SharedVerifier,
    add_shared_circuit,
    deploy_shared_verifier,
    find_shared_verifier,
)
from zkml.adapters.evm.anvil import Anvil
from zkml.adapters.evm.rpc import Chain
from zkml.adapters.keys.dev_keys import dev_account
from zkml.circuit_verifiers import make_shared
from zkml.core.digests import keccak256
from zkml.core.identifiers import VerifierClass, proof_system_id
from zkml.core.records import from_hex
from zkml.errors import FormatError, LayoutError, ProofRejectedError, VerifierMismatchError

pytestmark = pytest.mark.integration
__all__ = ["relu"]

DEPLOYER = dev_account(31337)
EZKL = shared_system("ezkl")
NO_CONTEXT = bytes(32)


@dataclasses.dataclass
class World:
    """A chain with a router and the shared verifier."""

    chain: Chain
    deployment: Deployment
    router: VerifierRouter
    inner: ContractArtifact
    shared: SharedVerifier
    folder: object

    def add(self, lab: Lab, **changes):
        key = key_of(lab)
        return add_shared_circuit(
            DEPLOYER, self.router, self.shared, key, dataclasses.replace(terms_of(lab, key), **changes)
        )

    def inspect(self, spec) -> DeployedVerifier:
        return DeployedVerifier(spec, self.chain.code, chain_id=self.chain.chain_id)

    def expected(self, lab: Lab, **changes) -> ExpectedShared:
        return dataclasses.replace(make_shared(lab.bundle, cache_dir=self.folder).expected, **changes)


def key_of(lab: Lab) -> EzklKey:
    return EzklKey.parse(shared_key(lab.bundle))


def terms_of(lab: Lab, key: EzklKey) -> VerifierTerms:
    manifest = lab.bundle.manifest
    return VerifierTerms(
        layout=manifest.tensor_layout,
        domain=manifest.input_domain,
        verifying_key_digest=key.digest,
        proof_system_id=proof_system_id(manifest.proof_system),
        gas_limit=1_000_000,
        verifier_class=VerifierClass.LOCAL,
        weight_commitment=manifest.weight_commitment,
    )


def claim_of(lab: Lab) -> dict[str, bytes]:
    proof = lab.proof
    return {
        "packed_input": from_hex(proof.input),
        "packed_output": from_hex(proof.output),
        "proof": from_hex(proof.proof),
    }


@pytest.fixture(scope="module")
def world(tmp_path_factory, relu: Lab):
    folder = tmp_path_factory.mktemp("shared")
    inner = make_shared(relu.bundle, cache_dir=folder).inner
    with Anvil.start(folder / "chain") as node, Chain(node.endpoint) as chain:
        deployment = deploy_core(chain, DEPLOYER, folder=folder)
        shared = deploy_shared_verifier(chain, DEPLOYER, deployment, EZKL, inner, folder=folder)
        router = VerifierRouter(chain, deployment.router.address)
        yield World(chain, deployment, router, inner, shared, folder)


def test_add__three_circuits__one_verifier_and_every_proof_accepted(world: World, relu: Lab):
    """Circuits of other architectures, batches and committed weights share one verifier; each has one adapter."""
    adapters = set()
    for lab in (relu, batch_lab(2), committed_lab(3), committed_lab(4)):
        circuit, receipt = world.add(lab, gas_limit=1_000_001)
        assert circuit.is_new
        assert receipt is not None
        adapters.add(circuit.spec.adapter)
        claim = claim_of(lab)
        world.router.verify(circuit.circuit_id, NO_CONTEXT, *claim.values())
        deployed = world.inspect(circuit.spec)
        assert (deployed.kind, deployed.inner_address) == ("shared", world.shared.verifier)
        deployed.verify(context=NO_CONTEXT, **claim)
        assert world.expected(lab).difference_from(deployed) is None
        again, nothing = world.add(lab, gas_limit=1_000_001)
        assert (again.circuit_id, again.is_new, nothing) == (circuit.circuit_id, False, None)
    assert len(adapters) == 4


def test_add__second_weights_of_an_architecture__stores_no_second_key(world: World):
    """The key is stored once for all weights of an architecture; proofs of the others' weights are refused."""
    (ours, _), (theirs, _) = world.add(committed_lab(3)), world.add(committed_lab(4))
    assert ours.spec.verifying_key_digest == theirs.spec.verifying_key_digest
    assert world.inspect(ours.spec).shared.key_addresses == world.inspect(theirs.spec).shared.key_addresses
    claim = claim_of(committed_lab(4))
    with pytest.raises(ProofRejectedError, match="WeightsMismatch"):
        world.router.verify(ours.circuit_id, NO_CONTEXT, *claim.values())
    with pytest.raises(ProofRejectedError, match="WeightsMismatch"):
        world.inspect(ours.spec).verify(context=NO_CONTEXT, **claim)


def test_deploy__again__finds_what_is_there(world: World):
    """A second publisher of this machine deploys nothing; a chain that began anew is not mistaken for it."""
    again = deploy_shared_verifier(
        world.chain, DEPLOYER, world.deployment, EZKL, world.inner, folder=world.folder
    )
    assert (again.inner, again.implementation) == (world.shared.inner, world.shared.implementation)
    other = dataclasses.replace(world.inner, runtime_code=world.inner.runtime_code + b"\0")
    assert find_shared_verifier(world.chain, world.deployment, EZKL, other, folder=world.folder) is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"key_digest": bytes(32)}, "another key"),
        ({"weight_commitment": b"\x01" * 32}, "other weights"),
        ({"inner_code": b"\x00"}, "not what the key generates"),
    ],
)
def test_difference__one_thing_is_foreign__named(change, words, world: World, relu: Lab):
    """Key, weights and verifier code of a deployed circuit are each compared with the bundle's own."""
    circuit, _ = world.add(relu)
    found = world.expected(relu, **change).difference_from(world.inspect(circuit.spec))
    assert words in found


def test_difference__generated_was_expected__foreign_adapter(world: World, relu: Lab):
    """A shared adapter is not taken for a generated verifier's."""
    circuit, _ = world.add(relu)
    shared = world.expected(relu)
    expected = ExpectedGenerated(shared.layout, shared.weight_commitment, shared.key_digest, b"\x00")
    found = expected.difference_from(world.inspect(circuit.spec))
    assert "adapter" in found


def test_inspect__stored_key_is_another__refused(world: World, relu: Lab):
    """An endpoint that serves other words for the key is found out before they run."""
    circuit, _ = world.add(relu)
    (place,) = world.inspect(circuit.spec).shared.key_addresses

    def lying(address: str) -> bytes:
        code = world.chain.code(address)
        return code[:-1] + bytes([code[-1] ^ 1]) if address == place else code

    with pytest.raises(VerifierMismatchError, match="another"):
        DeployedVerifier(circuit.spec, lying, chain_id=world.chain.chain_id)


def test_inspect__clone_of_foreign_code__is_other(world: World, relu: Lab):
    """A clone's arguments mean nothing when the code behind it is not ours."""
    circuit, _ = world.add(relu)
    code = world.chain.code(circuit.spec.adapter)
    foreign = deploy_contract(world.chain, DEPLOYER, load_artifact("LocalPaymentToken")).address
    forged = code[:10] + bytes.fromhex(foreign[2:]) + code[30:]
    spec = circuit.spec._replace(adapter_code_hash=keccak256(forged))

    def code_of(address: str) -> bytes:
        return forged if address == spec.adapter else world.chain.code(address)

    deployed = DeployedVerifier(spec, code_of, chain_id=world.chain.chain_id)
    assert (deployed.kind, deployed.is_shipped_adapter) == ("other", False)
    assert "adapter" in world.expected(relu).difference_from(deployed)


def test_parse__clone__what_the_contracts_wrote(world: World, relu: Lab):
    """The bytes behind a clone are read as the contract reads them; other code is no clone."""
    circuit, _ = world.add(relu)
    code = world.chain.code(circuit.spec.adapter)
    found = SharedAdapter.parse(code)
    assert (found.implementation, found.key_digest) == (world.shared.implementation, key_of(relu).digest)
    assert (found.layout, found.key_words) == (circuit.spec.layout, len(key_of(relu).words))
    for other in (b"", code[:-1], code + b"\0", b"\x00" + code[1:], world.inner.runtime_code):
        assert SharedAdapter.parse(other) is None


def test_add__tensors_that_are_not_the_keys__refused(world: World, relu: Lab):
    """A layout with another number of elements than the key has instances is refused before any gas is paid."""
    wide = dataclasses.replace(relu.bundle.manifest.tensor_layout, input_count=5)
    with pytest.raises(LayoutError, match="7 elements"):
        world.add(relu, layout=wide)


def test_add__terms_for_another_key__refused(world: World, relu: Lab):
    """The router's pin of the key is the digest of the very words that are stored."""
    with pytest.raises(VerifierMismatchError):
        world.add(relu, verifying_key_digest=bytes(32))


def test_shared_verifier__of_two_circuits__one_source(relu: Lab):
    """The reusable verifier's source is the same for every key, so one audited code hash serves all."""
    assert shared_verifier_source(relu.bundle) == shared_verifier_source(committed_lab(3).bundle)


def test_ceremony_constants__of_a_key__are_those_of_its_srs(relu: Lab, tmp_path):
    """Words 14 to 23 of a key are its ceremony's points, and tell an insecure SRS from a ceremony's."""
    found = key_of(relu).ceremony_constants
    assert found == ceremony_constants(relu.bundle.file("verification_srs"))
    assert found == ceremony_constants(relu.bundle.file("srs"))
    path = tmp_path / "ceremony.srs"
    path.write_bytes(ceremony_verification_srs())
    assert found[:6] == ceremony_constants(path)[:6]
    assert found[6:] != ceremony_constants(path)[6:]


@pytest.mark.parametrize(
    "damage", [lambda d: d[:-1], lambda d: d + bytes(32), lambda d: bytes(8), lambda d: b""]
)
def test_parse_key__cut_or_longer__refused(damage, relu: Lab):
    """A key file holds exactly the words that it counts."""
    with pytest.raises(FormatError):
        EzklKey.parse(damage(shared_key(relu.bundle)))
