"""Models through their binding, on a real node: commit and reveal, genesis, terms, access, identifiers."""

from contextlib import closing

import pytest
from registry_world import DOMAIN, LAYOUT, OUTPUT, build_world, proof_of

from registry.models import ModelRegistryBinding, ModelStatus
from registry.registration import Offer, registration_salt
from verifier_contracts.artifacts import load_artifact
from verifier_contracts.deploy import deploy_contract
from zkml.adapters.evm import transactions
from zkml.adapters.evm.anvil import Anvil
from zkml.adapters.evm.rpc import Chain
from zkml.adapters.evm.transactions import Call
from zkml.core import identifiers, tensors
from zkml.core.digests import keccak256
from zkml.core.identifiers import DerivativeTerms, FeeTerms
from zkml.core.records import from_hex
from zkml.errors import (
    BindingError,
    NotOwnerError,
    NotRegisteredError,
    ProofRejectedError,
    RegistryError,
)

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("registry")
    with Anvil.start(folder / "anvil") as node, closing(Chain(node.endpoint)) as chain:
        yield build_world(chain, folder / "deployments")


@pytest.fixture(scope="module")
def owner(world):
    return world.account()


@pytest.fixture(scope="module")
def model(world, owner):
    return world.proven(owner, fees=FeeTerms(7, 5, 100), derivatives=DerivativeTerms(True, 10, 5, 100))


def test_identifiers__computed_here__are_the_contracts(world, owner):
    """Circuit id, model id, registration hash, genesis seed and input are the same in Python and Solidity."""
    chain_id, registry = world.chain.chain_id, world.registry
    spec = world.spec(weight_commitment=b"\x07" * 32)
    assert world.router.circuit_id_of(spec) == identifiers.circuit_id(chain_id, world.router.address, spec)
    commitment = world.commitment(
        world.circuit(), world.circuit(inputs=3), dataset_digest=b"\x01" * 32, key_commitment=b"\x02" * 32
    )
    fees, derivatives, salt = FeeTerms(9, 8, 7), DerivativeTerms(False, 6, 5, 4), b"\x03" * 32
    here = identifiers.registration_hash(
        chain_id,
        registry.address,
        owner.address,
        commitment,
        fees=fees,
        derivatives=derivatives,
        salt=salt,
    )
    arguments = (tuple(commitment), tuple(fees), tuple(derivatives), salt)
    assert registry.contract.call("commitmentHash", owner.address, *arguments) == here
    model = world.register(owner, commitment, fees, derivatives)
    assert model == identifiers.model_id(chain_id, registry.address, owner.address, commitment)
    assert registry.commitment_of(model) == commitment
    seed = identifiers.genesis_seed(chain_id, registry.address, model, owner.address)
    for circuit_id, inputs in zip(commitment.circuit_ids, (1, 3), strict=True):
        genesis = registry.genesis(model, circuit_id)
        layout = world.router.circuit(circuit_id).layout
        assert genesis.seed == seed
        assert genesis.packed_input == tensors.expand_input(seed, layout, DOMAIN)
        assert layout.input_count == LAYOUT.input_count * inputs
        assert registry.batch_of(model, circuit_id) == inputs


def test_facts__of_a_proven_model__are_all_there(world, owner, model):
    """The registry's facts come back whole, and the event says the same as the storage."""
    facts = world.registry.facts(model)
    assert facts.status is ModelStatus.PROVEN
    assert facts.owner == facts.publisher == owner.address
    assert facts.fees == FeeTerms(7, 5, 100)
    assert facts.derivatives == DerivativeTerms(True, 10, 5, 100)
    assert not facts.is_closed
    assert facts.missing_genesis == ()
    announced = world.registry.registration_of(model, from_block=0)
    assert (announced.commitment, announced.account) == (facts.commitment, facts.account)
    assert model in [item.model_id for item in world.registry.registrations(from_block=0)]
    assert world.registry.proven_model_of(facts.commitment.circuit_id) == model


def test_register__interrupted_after_the_commitment__goes_on_with_it(world, owner):
    """A registration that stopped between its two transactions makes no second commitment."""
    commitment = world.commitment()
    offer = Offer(commitment, FeeTerms(), DerivativeTerms())
    signed = []
    planned = [call.what for call in world.registry.plan_registration(owner, commitment)]
    assert planned == ["ModelRegistry.commit", "ModelRegistry.register"]

    def stop_before_the_second(transaction):
        if signed:
            raise KeyboardInterrupt
        signed.append(transaction)

    with pytest.raises(KeyboardInterrupt):
        world.registry.register(owner, commitment, on_signed=stop_before_the_second)
    assert [call.what for call in world.registry.plan_registration(owner, commitment)] == [
        "ModelRegistry.register"
    ]
    resumed = []
    model, _ = world.registry.register(owner, commitment, on_signed=resumed.append)
    assert [item.what for item in signed + resumed] == ["ModelRegistry.commit", "ModelRegistry.register"]
    assert world.registry.status_of(model) is ModelStatus.REGISTERED
    where = (world.chain.chain_id, world.registry.address)
    assert registration_salt(owner, *where, offer) == registration_salt(owner, *where, offer)
    assert registration_salt(world.account(), *where, offer) != registration_salt(owner, *where, offer)


def test_register__what_the_chain_refuses__costs_no_commitment(world, owner, model):
    """A registration that cannot succeed fails before a transaction is signed."""
    known = world.registry.commitment_of(model)
    signed = []

    def refused(commitment, fees=None):
        world.registry.register(owner, commitment, fees or FeeTerms(7, 5, 100), on_signed=signed.append)

    with pytest.raises(RegistryError, match="ModelExists"):
        refused(known)
    with pytest.raises(NotRegisteredError):
        refused(known._replace(circuit_ids=(bytes(32),)))
    with pytest.raises(RegistryError, match="CircuitSetRefused"):
        refused(known._replace(circuit_ids=known.circuit_ids * 2))
    other = world.circuit(domain=tensors.InputDomain(-300, 701))
    with pytest.raises(RegistryError, match="CircuitMismatch"):
        refused(known._replace(circuit_ids=(*known.circuit_ids, other)))
    with pytest.raises(RegistryError, match="TermsRefused"):
        refused(known._replace(name="another"), FeeTerms(4, 5, 0))
    with pytest.raises(RegistryError, match="TextLengthOutOfRange"):
        refused(known._replace(licence=""))
    with pytest.raises(NotOwnerError):
        world.registry.register(world.account(), known._replace(predecessor=model), on_signed=signed.append)
    assert signed == []


def test_register__commitment_lapsed__is_made_anew(world, owner):
    """A commitment that grew too old while nobody came back is replaced by a new one."""
    at = world.deployment.addresses
    pointers = [at[name] for name in ("router", "ledger", "accounts", "account_implementation")]
    hasty = deploy_contract(world.chain, owner, load_artifact("ModelRegistry"), (*pointers, 1, 3))
    registry = ModelRegistryBinding(world.chain, hasty.address)
    commitment, signed = world.commitment(), []
    filed, _ = registry.plan_registration(owner, commitment)
    registry.contract.transact(owner, "commit", filed.arguments["commitment"])
    world.chain.send_once("anvil_mine", ["0x3"])
    registry.register(owner, commitment, on_signed=signed.append)
    assert [item.what for item in signed] == ["ModelRegistry.commit", "ModelRegistry.register"]


def test_register__copied_in_the_mempool__does_not_take_the_model(world, owner):
    """Who copies a revealed registration gets another model, of its own id, and needs a commitment of its own."""
    commitment = world.commitment()
    model = world.register(owner, commitment)
    thief = world.account()
    copy = world.register(thief, commitment)
    assert copy != model
    world.prove(owner, model)
    with pytest.raises(RegistryError, match="CircuitTaken"):
        world.prove(thief, copy)


def test_activate__squatter_of_a_verifying_key__blocks_no_publisher(world, owner):
    """Who has a model proven under the digest of somebody else's key, with any verifier, is in nobody's way."""
    squatter = world.account()
    code = from_hex("0x60016000f3")  # its code is one STOP: it accepts anything
    evil = transactions.send(world.chain, squatter, Call(None, code, "deploy a verifier")).contract
    honest = world.spec()
    pinned = honest._replace(adapter=evil, adapter_code_hash=world.chain.code_hash(evil))
    squatted, _ = world.router.add(squatter, pinned)
    squat = world.register(squatter, world.commitment(squatted))
    world.registry.activate(squatter, squat, squatted, OUTPUT, b"no proof at all")
    assert world.registry.proven_model_of(squatted) == squat
    circuit_id, _ = world.router.add(owner, honest)
    model = world.proven(owner, world.commitment(circuit_id))
    assert world.registry.proven_model_of(circuit_id) == model


def test_activate__a_set_of_circuits__needs_a_proof_of_each(world, owner):
    """A model of two circuits is PROVEN by the second proof, and a proof of one is none of the other."""
    commitment = world.commitment(world.circuit(), world.circuit(inputs=2))
    model = world.register(owner, commitment)
    first, second = commitment.circuit_ids
    genesis = world.registry.genesis(model, first)
    proof = proof_of(genesis.packed_input)
    with pytest.raises(ProofRejectedError):
        world.registry.activate(owner, model, first, OUTPUT, proof[::-1])
    with pytest.raises(ProofRejectedError):
        world.registry.activate(owner, model, second, OUTPUT * 2, proof)
    world.registry.activate(owner, model, first, OUTPUT, proof)
    assert world.registry.missing_genesis(model) == (second,)
    assert world.registry.status_of(model) is ModelStatus.REGISTERED
    with pytest.raises(RegistryError, match="NoGenesisWanted"):
        world.registry.activate(owner, model, first, OUTPUT, proof)
    world.prove(owner, model)
    assert world.registry.status_of(model) is ModelStatus.PROVEN


def test_terms__minimums__only_rise_and_only_by_the_owner(world, owner, model):
    """The owner sets the fee above its minimum; a minimum never falls; nobody else sets anything."""
    registry = world.registry
    registry.set_fee_terms(owner, model, FeeTerms(20, 6, 100))
    assert registry.fee_terms_of(model) == FeeTerms(20, 6, 100)
    with pytest.raises(RegistryError, match="TermsRefused"):
        registry.set_fee_terms(owner, model, FeeTerms(20, 5, 100))
    with pytest.raises(NotOwnerError):
        registry.set_fee_terms(world.account(), model, FeeTerms(30, 6, 100))
    registry.set_derivative_terms(owner, model, DerivativeTerms(False, 0, 0, 0))
    assert registry.derivative_terms_of(model) == DerivativeTerms(False, 0, 0, 0)
    with pytest.raises(RegistryError, match="RateOutOfRange"):
        registry.set_derivative_terms(owner, model, DerivativeTerms(True, 500_001, 0, 0))


def test_access__closed_model__is_for_those_let_in_until_it_opens(world, owner):
    """A closed model is proved by whom its owner lets in; once opened by anybody, for ever."""
    registry, prover = world.registry, world.account().address
    model = world.register(owner, world.commitment(key_commitment=keccak256(b"key")))
    assert registry.is_closed(model)
    assert not registry.may_prove(model, prover)
    registry.set_access(owner, model, prover, granted=True)
    assert registry.may_prove(model, prover)
    registry.set_access(owner, model, prover, granted=False)
    assert not registry.may_prove(model, prover)
    registry.open_model(owner, model)
    assert registry.may_prove(model, prover)
    with pytest.raises(RegistryError, match="NotClosed"):
        registry.set_access(owner, model, prover, granted=False)


def test_retire__proven_model__is_for_ever(world, owner):
    """A retired model stays retired, and a registered one cannot be retired."""
    registered = world.register(owner)
    with pytest.raises(RegistryError, match="WrongModelStatus"):
        world.registry.retire(owner, registered)
    world.prove(owner, registered)
    world.registry.retire(owner, registered)
    assert world.registry.status_of(registered) is ModelStatus.DEPRECATED
    with pytest.raises(RegistryError, match="WrongModelStatus"):
        world.registry.retire(owner, registered)


def test_register__chain_files_it_under_another_id__is_found_out(world, owner, monkeypatch):
    """A registry that mints another token than the hash of what was registered is not believed."""
    monkeypatch.setattr(identifiers, "model_id", lambda *_: 5)
    with pytest.raises(BindingError, match="expected model 0x5"):
        world.register(owner, world.commitment(name="x"))


def test_owner_of__no_such_model__says_where_to_look(world):
    """An unknown id is our error, with a next step."""
    with pytest.raises(NotRegisteredError):
        world.registry.owner_of(12345)
    with pytest.raises(NotRegisteredError, match="found none"):
        world.registry.commitment_of(12345)
    assert world.registry.status_of(12345) is ModelStatus.NONE
    assert isinstance(world.registry, ModelRegistryBinding)
