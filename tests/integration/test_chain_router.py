"""The router through its binding, on a real node: tombstones, attestations, classes, previews."""

from contextlib import closing

import pytest
from registry_world import OUTPUT, build_world, proof_of

from verifier_contracts import effects
from verifier_contracts.ceremonies import PUBLIC_CEREMONIES
from verifier_contracts.effects import preview
from verifier_contracts.router import Verdict
from zkml.adapters.evm.anvil import Anvil
from zkml.adapters.evm.rpc import Chain
from zkml.core import identifiers
from zkml.core.digests import keccak256
from zkml.core.identifiers import VerifierClass
from zkml.core.tensors import expand_input
from zkml.errors import (
    NotOwnerError,
    NotRegisteredError,
    RegistryError,
    RpcError,
    TombstonedError,
    UnsuitableCircuitError,
)

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("router")
    with Anvil.start(folder / "anvil") as node, closing(Chain(node.endpoint)) as chain:
        yield build_world(chain, folder / "deployments")


def test_add__entry__comes_back_as_it_was_pinned(world):
    """Every field of an entry, the weight commitment too, comes back and hashes to its id."""
    spec = world.spec()
    circuit_id, _ = world.router.add(world.deployer, spec)
    assert world.router.circuit(circuit_id) == spec
    assert world.router.class_of(circuit_id) == VerifierClass.LOCAL
    assert world.router.class_of(bytes(32)) == VerifierClass.NONE
    assert circuit_id == identifiers.circuit_id(world.chain.chain_id, world.router.address, spec)
    with pytest.raises(RegistryError, match="CircuitExists"):
        world.router.add(world.deployer, spec)


def test_add__ceremony_without_audited_code__is_refused(world):
    """Nobody gets the class CEREMONY by claiming it."""
    with pytest.raises(UnsuitableCircuitError, match="NotASharedVerifier"):
        world.router.add(world.deployer, world.spec(verifier_class=VerifierClass.CEREMONY))


def test_tombstone__by_the_guardian__ends_every_proof(world):
    """A tombstoned circuit verifies nothing, cannot be tombstoned again, and says why; nobody else tombstones."""
    circuit_id = world.circuit()
    spec = world.router.circuit(circuit_id)
    packed = expand_input(bytes(32), spec.layout, spec.domain)
    world.router.verify(circuit_id, bytes(32), packed, OUTPUT, proof_of(packed))
    with pytest.raises(NotOwnerError, match="NotGuardian"):
        world.router.tombstone(world.account(), circuit_id, "unsafe")
    for reason in ("", "x" * 257):
        with pytest.raises(RegistryError, match="expected a reason"):
            world.router.tombstone(world.deployer, circuit_id, reason)
    assert world.router.tombstone_reason(circuit_id, from_block=0) is None
    world.router.tombstone(world.deployer, circuit_id, "unsafe")
    assert world.router.is_tombstoned(circuit_id)
    assert world.router.tombstone_reason(circuit_id, from_block=0) == "unsafe"
    with pytest.raises(TombstonedError):
        world.router.verify(circuit_id, bytes(32), packed, OUTPUT, proof_of(packed))
    with pytest.raises(TombstonedError):
        world.router.tombstone(world.deployer, circuit_id, "unsafe")
    with pytest.raises(TombstonedError):
        world.register(world.deployer, world.commitment(circuit_id))
    with pytest.raises(NotRegisteredError):
        world.router.tombstone(world.deployer, bytes(32), "unsafe")


def test_attest__last_word_of_each__is_what_counts(world):
    """Attestations name their attester and report; a later word replaces an earlier one."""
    circuit_id, first, second = world.circuit(), world.account(), world.account()
    report = keccak256(b"report")
    world.router.attest(first, circuit_id, Verdict.REBUILT, report, "ipfs://report")
    world.router.attest(second, circuit_id, Verdict.REBUILT, report)
    world.router.attest(first, circuit_id, Verdict.REFUTED, keccak256(b"other"), "ipfs://other")
    found = world.router.attestations(circuit_id, from_block=0)
    assert [(item.attester, item.verdict, item.report_uri) for item in found] == [
        (first.address, Verdict.REFUTED, "ipfs://other"),
        (second.address, Verdict.REBUILT, ""),
    ]
    assert all(item.attested_at > 0 for item in found)
    assert world.router.attestation_of(circuit_id, world.deployer.address).verdict is Verdict.NONE
    with pytest.raises(RegistryError, match="VerdictMissing"):
        world.router.attest(first, circuit_id, Verdict.NONE, report)
    with pytest.raises(NotRegisteredError):
        world.router.attest(first, bytes(32), Verdict.REBUILT, report)


def test_admin__of_the_router__is_the_deployments(world):
    """The router's guardian is its admin's."""
    assert world.router.admin().address == world.deployment.admin.address
    assert len(PUBLIC_CEREMONIES) == 1


def test_preview__of_a_transaction__names_its_events_and_changes_nothing(world):
    """A preview shows what the transaction would emit, where, with decoded arguments, and sends nothing."""
    circuit_id = world.circuit()
    names = world.deployment.addresses
    contract = world.router.contract
    found = preview(contract, world.deployer.address, "tombstone", circuit_id, "unsafe", names=names)
    (effect,) = found.effects
    assert (effect.contract, effect.event) == ("router", "CircuitTombstoned")
    assert effect.arguments == {"circuitId": circuit_id, "reason": "unsafe"}
    assert found.dry_run.gas > 21_000
    assert not world.router.is_tombstoned(circuit_id)
    with pytest.raises(NotOwnerError):
        preview(contract, world.account().address, "tombstone", circuit_id, "unsafe", names=names)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        [{"calls": []}],
        [{"calls": [{}]}],
        [{"calls": [{"logs": "x"}]}],
        [{"calls": [{"logs": [7]}]}],
        [{"calls": [{"logs": [{"address": "0x"}]}]}],
        [{"calls": [{"logs": [{}] * 1001}]}],
    ],
)
def test_preview__answer_of_another_form__is_nonsense(world, monkeypatch, answer):
    """A node's simulation is a stranger's answer."""
    contract = world.router.contract
    dry_run = contract.dry_run(world.deployer.address, "add", world.spec().as_abi())
    monkeypatch.setattr(world.chain, "request", lambda *_: answer)
    with pytest.raises(RpcError):
        effects.effects_of(world.chain, dry_run, world.deployer.address, {})


def test_preview__node_without_simulation__shows_the_call_alone(world, monkeypatch):
    """Where the node simulates nothing, the call and its cost are still shown."""
    contract = world.router.contract
    dry_run = contract.dry_run(world.deployer.address, "add", world.spec().as_abi())

    def refuse(*_):
        raise RpcError("expected an answer, found none", rpc_code=-32601)

    monkeypatch.setattr(world.chain, "request", refuse)
    assert effects.effects_of(world.chain, dry_run, world.deployer.address, {}) is None
