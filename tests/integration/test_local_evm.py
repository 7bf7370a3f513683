"""The EVM in process runs the chain's own code: it accepts one real EZKL proof and refuses every lie."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from verifier_contracts.artifacts import ContractArtifact, load_artifact
from verifier_contracts.codegen import compile_verifier
from verifier_contracts.local_evm import LocalEvm, intrinsic_gas
from verifier_contracts.local_verification import adapter_code, verify_in_local_evm, verify_instances
from zkml.adapters.evm.abi import decode_values, encode_call, function
from zkml.adapters.ezkl import client
from zkml.core.digests import keccak256
from zkml.core.field import R
from zkml.core.tensors import TensorLayout, instances_of, pack
from zkml.errors import LayoutError, ProofRejectedError, RevertedError

pytestmark = pytest.mark.integration

LAYOUT = TensorLayout(input_count=4, input_bytes=2, output_count=2, output_bytes=4)
ELEMENTS = (64, -128, 32, 96)
LOGROWS = 8
RUN_ARGS = {
    "input_visibility": "public",
    "output_visibility": "public",
    "param_visibility": "fixed",
    "logrows": LOGROWS,
    "decomp_base": 16,
    "decomp_legs": 3,
    "num_inner_cols": 1,
}
SOMEWHERE = "0x00000000000000000000000000000000000A11cE"


@dataclass(frozen=True)
class Proved:
    """A proof of a linear layer from four to two, and all that its verification takes."""

    verifier: ContractArtifact
    packed_input: bytes
    packed_output: bytes
    proof: bytes

    @property
    def claim(self) -> dict[str, bytes]:
        return {
            "packed_input": self.packed_input,
            "packed_output": self.packed_output,
            "proof": self.proof,
        }

    @property
    def instances(self) -> tuple[int, ...]:
        return instances_of(LAYOUT, self.packed_input, self.packed_output)


def write_linear_model(path: Path) -> None:
    weights = np.array([[0.5, -0.25, 1.0, 0.75], [-1.0, 0.5, 0.25, -0.5]], dtype=np.float32)
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["x", "w", "b"], ["y"], transB=1)],
        "linear",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2])],
        [
            numpy_helper.from_array(weights, "w"),
            numpy_helper.from_array(np.array([0.125, -0.25], dtype=np.float32), "b"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, path)


@pytest.fixture(scope="module")
def proved(tmp_path_factory: pytest.TempPathFactory) -> Proved:
    folder = tmp_path_factory.mktemp("linear")
    model, settings, compiled = folder / "model.onnx", folder / "settings.json", folder / "circuit"
    key, proving_key, srs, witness = (folder / name for name in ("vk", "pk", "srs", "witness.json"))
    write_linear_model(model)
    client.gen_settings(model, settings, RUN_ARGS)
    fields = json.loads(settings.read_text())
    fields["required_range_checks"].sort()
    settings.write_text(json.dumps(fields))
    client.compile_circuit(model, compiled, settings)
    client.gen_srs(srs, LOGROWS)
    client.setup(compiled, key, proving_key, srs)
    outputs = client.gen_witness(compiled, ELEMENTS, witness).outputs
    proof = client.prove(witness, compiled, proving_key, srs).proof
    source = client.create_verifier_source(verifying_key=key, settings=settings, srs=srs)
    verifier = compile_verifier(source, cache_dir=folder / "cache")
    return Proved(verifier, pack(ELEMENTS, 2), pack(outputs, 4), proof)


def flip(data: bytes, position: int) -> bytes:
    return data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :]


def test_verify__real_proof__is_accepted(proved: Proved):
    """A real proof passes the generated verifier and our adapter, which adds little gas of its own."""
    gas = verify_in_local_evm(proved.verifier.runtime_code, LAYOUT, **proved.claim)
    assert 100_000 < gas.verifier < gas.adapter < gas.verifier + 20_000


@pytest.mark.parametrize("place", ["first", "commitment", "evaluation", "last"])
def test_verify__one_flipped_bit_of_the_proof__is_rejected(place: str, proved: Proved):
    """A proof with one bit flipped, wherever it is, is refused."""
    length = len(proved.proof)
    position = {"first": 0, "commitment": 70, "evaluation": length - 300, "last": length - 1}[place]
    with pytest.raises(ProofRejectedError, match="VerifierReverted"):
        verify_in_local_evm(
            proved.verifier.runtime_code, LAYOUT, **{**proved.claim, "proof": flip(proved.proof, position)}
        )


@pytest.mark.parametrize("what", ["packed_input", "packed_output"])
def test_verify__another_input_or_output__is_rejected(what: str, proved: Proved):
    """A true proof of one input and output is none of another."""
    other = flip(getattr(proved, what), len(getattr(proved, what)) - 1)
    with pytest.raises(ProofRejectedError, match="VerifierReverted"):
        verify_in_local_evm(proved.verifier.runtime_code, LAYOUT, **{**proved.claim, what: other})


@pytest.mark.parametrize("what", ["packed_input", "packed_output"])
@pytest.mark.parametrize("change", ["longer", "shorter"])
def test_verify__tensor_of_another_length__is_rejected(what: str, change: str, proved: Proved):
    """A tensor that is not exactly as long as its layout says is refused, and the lengths are told."""
    whole = getattr(proved, what)
    other = whole + b"\0" if change == "longer" else whole[:-1]
    with pytest.raises(ProofRejectedError, match="LengthMismatch"):
        verify_in_local_evm(proved.verifier.runtime_code, LAYOUT, **{**proved.claim, what: other})


@pytest.mark.parametrize("change", ["32 more", "1 more", "32 fewer", "none"])
def test_verify__proof_of_another_length__is_rejected(change: str, proved: Proved):
    """Trailing bytes, which EZKL's own verify accepts, are refused, and so is a truncated proof."""
    proof = {
        "32 more": proved.proof + bytes(32),
        "1 more": proved.proof + b"\0",
        "32 fewer": proved.proof[:-32],
        "none": b"",
    }[change]
    with pytest.raises(ProofRejectedError):
        verify_in_local_evm(proved.verifier.runtime_code, LAYOUT, **{**proved.claim, "proof": proof})


def test_verify__layout_of_another_circuit__is_rejected(proved: Proved):
    """The same bytes read as other tensors make other instances, and are refused."""
    narrow = TensorLayout(input_count=8, input_bytes=1, output_count=2, output_bytes=4)
    with pytest.raises(ProofRejectedError, match="VerifierReverted"):
        verify_in_local_evm(proved.verifier.runtime_code, narrow, **proved.claim)


def test_verify__too_little_gas__is_rejected(proved: Proved):
    """A gas limit below the cost refuses, as on chain; the recommended one passes, and is not lavish."""
    code = proved.verifier.runtime_code
    gas = verify_in_local_evm(code, LAYOUT, **proved.claim)
    verify_in_local_evm(code, LAYOUT, **proved.claim, gas_limit=gas.recommended_limit)
    assert gas.adapter < gas.recommended_limit < gas.adapter * 1.3
    with pytest.raises(ProofRejectedError):
        verify_in_local_evm(code, LAYOUT, **proved.claim, gas_limit=gas.adapter // 2)


def test_verify__adapter_without_a_verifier__is_refused(proved: Proved):
    """There is no adapter to an address without code."""
    with pytest.raises(RevertedError, match="NotAVerifier"):
        verify_in_local_evm(b"", LAYOUT, **proved.claim)


def test_verify_instances__true_ones__are_accepted(proved: Proved):
    """The bare verifier accepts the instances that the adapter builds."""
    assert verify_instances(proved.verifier.runtime_code, proved.instances, proved.proof) > 100_000


@pytest.mark.parametrize("attack", ["plus r", "plus one", "missing", "surplus", "swapped", "none"])
def test_verify_instances__false_ones__are_rejected(attack: str, proved: Proved):
    """Aliased, changed, missing, surplus and exchanged instances are refused by the bare verifier."""
    first, second, *rest = proved.instances
    instances = {
        "plus r": (first + R, second, *rest),
        "plus one": (first + 1, second, *rest),
        "missing": proved.instances[:-1],
        "surplus": (*proved.instances, 0),
        "swapped": (second, first, *rest),
        "none": (),
    }[attack]
    with pytest.raises(ProofRejectedError):
        verify_instances(proved.verifier.runtime_code, instances, proved.proof)


@pytest.mark.parametrize(
    ("code", "what"),
    [
        ("", "no code"),
        ("5f5ff3", "empty answer"),
        ("60025f5260205ff3", "the answer two"),
        ("5f5260205ff3", "halt"),
    ],
)
def test_verify_instances__code_that_is_no_verifier__is_rejected(code: str, what: str):
    """Code that answers anything but true, or nothing at all, has not verified."""
    with pytest.raises(ProofRejectedError):
        verify_instances(bytes.fromhex(code), (1,), b"proof")


def test_adapter_code__is_the_artifacts_with_the_pins_filled_in(proved: Proved):
    """The code computed off chain is the shipped adapter's, and depends on address, verifier and layout."""
    code = adapter_code(SOMEWHERE, proved.verifier.runtime_code, LAYOUT)
    load_artifact("EzklVerifier").verify_code(code, where="test")
    assert bytes.fromhex(SOMEWHERE[2:]) in code
    assert proved.verifier.runtime_code_hash in code
    other_layout = TensorLayout(input_count=4, input_bytes=1, output_count=2, output_bytes=4)
    others = {
        code,
        adapter_code(SOMEWHERE[:-1] + "F", proved.verifier.runtime_code, LAYOUT),
        adapter_code(SOMEWHERE, proved.verifier.runtime_code + b"\0", LAYOUT),
        adapter_code(SOMEWHERE, proved.verifier.runtime_code, other_layout),
    }
    assert len(others) == 4


def test_adapter__asked_for_its_pins__tells_them(proved: Proved):
    """The adapter's views return the verifier, its code hash and the layout it was made with."""
    abi = load_artifact("EzklVerifier").abi
    evm = LocalEvm()
    evm.place(SOMEWHERE, adapter_code(SOMEWHERE, proved.verifier.runtime_code, LAYOUT))
    entry = function(abi, "tensorLayout")
    assert decode_values(entry.outputs, evm.call(SOMEWHERE, encode_call(entry, ())).data, "test") == (
        LAYOUT.as_abi(),
    )
    pin = evm.call(SOMEWHERE, encode_call(function(abi, "verifierCodeHash"), ())).data
    assert pin == proved.verifier.runtime_code_hash


def test_generated_verifier__deployed__has_the_code_of_the_artifact(proved: Proved):
    """Running the creation code gives exactly the runtime code whose hash is pinned."""
    evm = LocalEvm()
    address = evm.deploy(proved.verifier.creation_code)
    assert evm.code_at(address) == proved.verifier.runtime_code
    assert evm.code_hash_at(address) == proved.verifier.runtime_code_hash


def test_local_evm__code_at__is_exact():
    """Code comes back byte for byte, trailing zeros included; an address without code has none."""
    evm = LocalEvm()
    evm.place(SOMEWHERE, b"\x5f\0\0")
    deployed = evm.deploy(bytes.fromhex("625f00005f526003601df3"))
    assert evm.code_at(SOMEWHERE) == evm.code_at(deployed) == b"\x5f\0\0"
    assert evm.code_at("0x" + "77" * 20) == b""
    assert evm.code_hash_at(SOMEWHERE) == keccak256(b"\x5f\0\0")


def test_local_evm__call__reports_execution_gas_alone():
    """Gas is that of the instructions: what a transaction costs before the first is left out."""
    evm = LocalEvm()
    evm.place(SOMEWHERE, bytes.fromhex("465f5260205ff3"))  # returns CHAINID
    result = evm.call(SOMEWHERE, b"\0\1", gas_limit=100)
    assert int.from_bytes(result.data, "big") == 31337
    assert 0 < result.gas_used < 30
    assert intrinsic_gas(b"\0\1") == 21_020


@pytest.mark.parametrize(
    ("code", "name", "data"),
    [
        ("63deadbeef5f526004601cfd", "", "0xdeadbeef"),
        ("5f5ffd", "", "0x"),
        ("fe", "", "0x"),
        ("5b5f56", "", "0x"),
        ("5f5f55", "", "0x"),
    ],
)
def test_local_evm__call_that_fails__keeps_the_revert_data(code: str, name: str, data: str):
    """Reverts, invalid instructions, endless loops and writes in a view call are errors with their data."""
    evm = LocalEvm()
    evm.place(SOMEWHERE, bytes.fromhex(code))
    with pytest.raises(RevertedError) as raised:
        evm.call(SOMEWHERE, b"", gas_limit=50_000)
    assert (raised.value.context["name"], raised.value.context["data"]) == (name, data)


def test_local_evm__constructor_that_reverts__is_an_error():
    """A deployment that reverts, or whose code is larger than a chain accepts, is an error."""
    evm = LocalEvm()
    with pytest.raises(RevertedError):
        evm.deploy(bytes.fromhex("5f5ffd"))
    with pytest.raises(RevertedError):
        evm.deploy(bytes.fromhex("6160015ff3"))


def test_local_evm__malformed_address__is_a_mistake_of_the_programmer():
    """An address that is none is a ValueError, and never reaches the EVM."""
    with pytest.raises(ValueError, match="address"):
        LocalEvm().call("0x1234", b"")


def test_verify__layout_no_contract_accepts__cannot_be_written():
    """A layout that the adapter would refuse does not exist off chain either."""
    with pytest.raises(LayoutError):
        TensorLayout(input_count=0, input_bytes=2, output_count=2, output_bytes=4)
