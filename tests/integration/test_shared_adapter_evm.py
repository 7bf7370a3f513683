"""EZKL's own reusable verifier behind our clones: it accepts real proofs and refuses every lie.

Contracts alone, in the EVM in process. EZKL's source is generated here, never kept: it is not ours to publish.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from verifier_contracts.compiler import CompiledContract, compile_sources
from verifier_contracts.local_evm import LocalEvm
from verifier_contracts.sources import collect_sources
from zkml.adapters.evm.abi import decode_values, encode_call, encode_constructor, function
from zkml.adapters.evm.reverts import RevertDecoder
from zkml.adapters.ezkl import client
from zkml.core.digests import keccak256
from zkml.core.tensors import TensorLayout, pack
from zkml.errors import RevertedError

pytestmark = pytest.mark.integration

LAYOUT = TensorLayout(input_count=4, input_bytes=2, output_count=2, output_bytes=4)
ELEMENTS = (64, -128, 32, 96)
LOGROWS = 8
RUN_ARGS = {
    "input_visibility": "public",
    "output_visibility": "public",
    "logrows": LOGROWS,
    "decomp_base": 16,
    "decomp_legs": 3,
    "num_inner_cols": 1,
}
WEIGHTS = ((0.5, -0.25, 1.0, 0.75), (-1.0, 0.5, 0.25, -0.5))
OTHER_WEIGHTS = ((0.25, 0.5, -1.0, 0.5), (1.0, -0.5, 0.75, 0.25))
UNBOUND = bytes(32)
SYSTEM = bytes.fromhex("29e846df")
GAS_LIMIT = 3_000_000
LOCAL, CEREMONY = 1, 2
SOMEONE = "0x00000000000000000000000000000000000A11cE"
DEPLOYER = "0x00000000000000000000000000000000000d3910"
"""Who sends what the EVM in process runs."""
FACTORY = "EzklSharedVerifierFactory"


@dataclass(frozen=True)
class Circuit:
    """A linear layer from four to two: its key, one proof, and the commitment to its weights if it has one."""

    key: tuple[bytes, ...]
    input: bytes
    output: bytes
    proof: bytes
    commitment: bytes

    @property
    def key_digest(self) -> bytes:
        return keccak256(b"".join(self.key))

    @property
    def weight_pin(self) -> bytes:
        return keccak256(self.commitment) if self.commitment else UNBOUND


@dataclass(frozen=True)
class Code:
    """The contracts: ours, and EZKL's reusable verifier."""

    ours: dict[str, CompiledContract]
    reusable: CompiledContract


class World:
    """An EVM with the factory, an admin and a router."""

    def __init__(self, code: Code, *, audits: bool = False, ceremonies: Sequence[tuple] = ()) -> None:
        self.code = code
        self.evm = LocalEvm(reverts=RevertDecoder(contract.abi for contract in code.ours.values()))
        self.reusable = self.evm.deploy(code.reusable.creation_code)
        self.factory = self.deploy(FACTORY, self.reusable)
        self.admin = self.deploy("ProtocolAdmin", DEPLOYER, SOMEONE, SOMEONE, (0, 0), (0, 0))
        self.router = self.deploy("VerifierRouter", self.admin, list(ceremonies))
        if audits:
            (implementation,) = self.read(FACTORY, self.factory, "IMPLEMENTATION")
            self.write(
                "ProtocolAdmin", self.admin, "addAuditedVerifier", self.evm.code_hash_at(implementation)
            )

    def deploy(self, name: str, *arguments) -> str:
        contract = self.code.ours[name]
        return self.evm.deploy(contract.creation_code, encode_constructor(contract.abi, arguments))

    def read(self, name: str, to: str, method: str, *arguments) -> tuple:
        entry = function(self.code.ours[name].abi, method)
        return decode_values(
            entry.outputs, self.evm.call(to, encode_call(entry, arguments)).data, where=method
        )

    def write(self, name: str, to: str, method: str, *arguments):
        entry = function(self.code.ours[name].abi, method)
        done = self.evm.transact(to, encode_call(entry, arguments))
        return decode_values(entry.outputs, done.data, where=method), done.gas_used

    def make(self, method: str, *arguments):
        return self.write(FACTORY, self.factory, method, *arguments)

    def adapter_for(self, circuit: Circuit, **changes) -> str:
        """Store the circuit's key and make its adapter."""
        pins = {"layout": LAYOUT, "weights": circuit.weight_pin, **changes}
        self.make("storeKey", list(circuit.key))
        (adapter,), _ = self.make(
            "createAdapter", circuit.key_digest, pins["layout"].as_abi(), pins["weights"]
        )
        return adapter

    def verify(self, adapter: str, claim: Circuit) -> int:
        """Return the gas of an accepted proof."""
        entry = function(self.code.ours["EzklSharedVerifier"].abi, "verify")
        call = encode_call(entry, (UNBOUND, claim.input, claim.output, claim.proof))
        return self.evm.call(adapter, call).gas_used


def write_linear_model(path: Path, weights) -> None:
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["x", "w", "b"], ["y"], transB=1)],
        "linear",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2])],
        [
            numpy_helper.from_array(np.array(weights, dtype=np.float32), "w"),
            numpy_helper.from_array(np.array([0.125, -0.25], dtype=np.float32), "b"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, path)


def compile_circuit(folder: Path, srs: Path, weights, visibility: str) -> tuple[Circuit, str]:
    """Prove one input of a linear model; return what a chain needs, and the reusable verifier's source."""
    folder.mkdir()
    model, settings, compiled = folder / "model.onnx", folder / "settings.json", folder / "circuit"
    key, proving_key, witness = (folder / name for name in ("vk", "pk", "witness.json"))
    write_linear_model(model, weights)
    client.gen_settings(model, settings, {**RUN_ARGS, "param_visibility": visibility})
    fields = json.loads(settings.read_text())
    fields["required_range_checks"].sort()
    settings.write_text(json.dumps(fields))
    client.compile_circuit(model, compiled, settings)
    client.setup(compiled, key, proving_key, srs)
    outputs = client.gen_witness(compiled, ELEMENTS, witness).outputs
    proof = client.prove(witness, compiled, proving_key, srs).proof
    commitment = proof[:64] if visibility == "polycommit" else b""
    vka = client.create_vka(verifying_key=key, settings=settings, srs=srs)
    words = tuple(vka[place : place + 32] for place in range(8, len(vka), 32))
    assert len(words) == int.from_bytes(vka[:8], "little")
    source = client.create_verifier_source(verifying_key=key, settings=settings, srs=srs, reusable=True)
    return Circuit(words, pack(ELEMENTS, 2), pack(outputs, 4), proof, commitment), source


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Circuit, str]]:
    folder = tmp_path_factory.mktemp("shared")
    client.gen_srs(folder / "srs", LOGROWS)
    return {
        name: compile_circuit(folder / name, folder / "srs", weights, visibility)
        for name, weights, visibility in (
            ("fixed", WEIGHTS, "fixed"),
            ("other", OTHER_WEIGHTS, "fixed"),
            ("committed", WEIGHTS, "polycommit"),
            ("other committed", OTHER_WEIGHTS, "polycommit"),
        )
    }


@pytest.fixture(scope="module")
def code(made) -> Code:
    roots = (FACTORY, "VerifierRouter", "ProtocolAdmin")
    compiled = compile_sources(collect_sources(f"verifier_contracts/src/{name}.sol" for name in roots))
    (source,) = {source for _, source in made.values()}
    (reusable,) = (one for one in compile_sources({"Reusable.sol": source}) if one.creation_code)
    return Code({contract.name: contract for contract in compiled}, reusable)


@pytest.fixture
def world(code: Code) -> World:
    return World(code)


@pytest.fixture
def fixed(made) -> Circuit:
    return made["fixed"][0]


def flip(data: bytes, position: int) -> bytes:
    position %= len(data)
    return data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :]


@pytest.mark.parametrize("name", ["fixed", "other", "committed", "other committed"])
def test_verify__real_proof__is_accepted(name: str, made, world: World):
    """One verifier and one implementation accept the proofs of every circuit, fixed weights or committed."""
    circuit = made[name][0]
    assert 300_000 < world.verify(world.adapter_for(circuit), circuit) < 1_500_000


@pytest.mark.parametrize("position", [0, 70, 1500, -1])
def test_verify__one_flipped_byte_of_the_proof__is_rejected(position: int, fixed: Circuit, world: World):
    """A proof with one bit flipped, wherever it is, is refused."""
    adapter = world.adapter_for(fixed)
    with pytest.raises(RevertedError, match="VerifierReverted"):
        world.verify(adapter, replace(fixed, proof=flip(fixed.proof, position)))


@pytest.mark.parametrize("change", ["32 more", "1 more", "32 fewer", "none"])
def test_verify__proof_of_another_length__is_rejected(change: str, fixed: Circuit, world: World):
    """A proof that is not exactly as long as its key says is refused; EZKL's verifier takes trailing words."""
    proof = {
        "32 more": fixed.proof + bytes(32),
        "1 more": fixed.proof + b"\0",
        "32 fewer": fixed.proof[:-32],
        "none": b"",
    }[change]
    adapter = world.adapter_for(fixed)
    with pytest.raises(RevertedError, match="ProofLengthMismatch"):
        world.verify(adapter, replace(fixed, proof=proof))


@pytest.mark.parametrize("tensor", ["input", "output"])
def test_verify__another_instance__is_rejected(tensor: str, fixed: Circuit, world: World):
    """A true proof of one input and output is none of another."""
    adapter = world.adapter_for(fixed)
    with pytest.raises(RevertedError, match="VerifierReverted"):
        world.verify(adapter, replace(fixed, **{tensor: flip(getattr(fixed, tensor), -1)}))


def test_verify__another_circuits_key__is_rejected(made, world: World):
    """A proof is refused under the key of a circuit with other weights, though both keys are registered."""
    fixed, other = made["fixed"][0], made["other"][0]
    assert fixed.key_digest != other.key_digest
    adapter = world.adapter_for(other)
    world.adapter_for(fixed)
    with pytest.raises(RevertedError, match="VerifierReverted"):
        world.verify(adapter, fixed)


def test_verify__committed_weights_of_another_model__are_rejected(made, world: World):
    """Two models of one architecture share a key; only the pinned commitment tells their proofs apart."""
    mine, theirs = made["committed"][0], made["other committed"][0]
    assert mine.key == theirs.key
    adapter = world.adapter_for(mine)
    world.verify(world.adapter_for(mine, weights=UNBOUND), theirs)
    with pytest.raises(RevertedError, match="WeightsMismatch"):
        world.verify(adapter, theirs)
    with pytest.raises(RevertedError, match="VerifierReverted"):
        world.verify(adapter, replace(theirs, proof=mine.commitment + theirs.proof[64:]))


def test_verify__unregistered_key__is_rejected(fixed: Circuit, world: World):
    """The reusable verifier accepts proofs under keys that were registered with it, and no others."""
    adapter = world.adapter_for(fixed)
    fresh = World(world.code)
    assert fresh.reusable == world.reusable
    (stored,) = world.read(FACTORY, world.factory, "storedKey", fixed.key_digest)
    for address in (adapter, stored[1]):
        fresh.evm.place(address, world.evm.code_at(address))
    with pytest.raises(RevertedError, match="VerifierReverted"):
        fresh.verify(adapter, fixed)
    register = function(fresh.code.reusable.abi, "registerVka")
    fresh.evm.transact(fresh.reusable, encode_call(register, [list(fixed.key)]))
    fresh.verify(adapter, fixed)


def test_verify__key_words_replaced__is_rejected(fixed: Circuit, world: World):
    """Where other words lie than those pinned, nothing is accepted, though EZKL's verifier accepts the proof.

    The words differ in how many decimals the rescaled instances are to have: that plays no part in validity.
    """
    adapter = world.adapter_for(fixed)
    (stored,) = world.read(FACTORY, world.factory, "storedKey", fixed.key_digest)
    crafted = [*fixed.key[:-1], flip(fixed.key[-1], 30)]
    world.make("storeKey", crafted)
    world.evm.place(stored[1], b"\0" + b"".join(crafted))
    with pytest.raises(RevertedError, match="KeyMismatch"):
        world.verify(adapter, fixed)
    with pytest.raises(RevertedError, match="KeyMismatch"):
        world.read("EzklSharedVerifier", adapter, "ceremonyConstants")


def test_create_adapter__tensors_of_another_count__are_refused(fixed: Circuit, world: World):
    """An adapter that could never accept a proof of the key is not made."""
    with pytest.raises(RevertedError, match="InstanceCountMismatch"):
        world.adapter_for(fixed, layout=TensorLayout(5, 2, 2, 4))


def terms(circuit: Circuit, verifier_class: int):
    return (circuit.weight_pin, SYSTEM, LAYOUT.as_abi(), (-200, 200), GAS_LIMIT, verifier_class)


def test_ceremony__listed_tau_and_audited_code__is_accepted_and_verifies(made, code: Code):
    """With this test's own SRS on the list as if it were a ceremony, a real key reaches the class CEREMONY.

    The same key is refused where its SRS is not on the list, and where nobody audited the code.
    """
    mine, theirs = made["committed"][0], made["other committed"][0]
    here = ("the SRS of this test", mine.key[20:24])
    world = World(code, audits=True, ceremonies=[here])
    add = ("storeKeyAndAddCircuit", list(mine.key), terms(mine, CEREMONY))
    (circuit_id,), gas = world.make(add[0], world.router, *add[1:])
    (second,), gas_of_second = world.make(
        "addCircuit", world.router, theirs.key_digest, terms(theirs, CEREMONY)
    )
    assert gas_of_second < 400_000 < gas
    verify = ("VerifierRouter", world.router, "verify")
    world.read(*verify, circuit_id, UNBOUND, mine.input, mine.output, mine.proof)
    world.read(*verify, second, UNBOUND, theirs.input, theirs.output, theirs.proof)
    with pytest.raises(RevertedError, match="ProofRejected"):
        world.read(*verify, second, UNBOUND, mine.input, mine.output, mine.proof)

    unaudited = World(code, ceremonies=[here])
    with pytest.raises(RevertedError, match="NotAudited"):
        unaudited.make(add[0], unaudited.router, *add[1:])
    unlisted = World(code, audits=True)
    with pytest.raises(RevertedError, match="ForeignCeremony"):
        unlisted.make(add[0], unlisted.router, *add[1:])
    unlisted.make(add[0], unlisted.router, list(mine.key), terms(mine, LOCAL))
