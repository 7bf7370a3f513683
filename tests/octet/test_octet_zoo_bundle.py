"""The zoo's digit classifier as an OCTET circuit: compiled, inspected, proved and verified by a stranger."""

import numpy as np
import pytest

from circuits.bundle import VERIFYING_ROLES, Bundle
from circuits.circuit_facts import circuit_facts
from circuits.port import CompileRequest
from circuits.srs import SrsStore
from circuits.systems import open_system
from circuits.verification import verify_proof
from zkml.core.tensors import unpack_output
from zkml.errors import ProofRejectedError

pytest.importorskip("torch")
pytest.importorskip("sklearn")


def test_zoo_bundle__the_digit_classifier_is_proved_digit_by_digit(tmp_path):
    """What the bundle proves of held-out images is what the network answers, and an edited answer is refused."""
    from circuits.zoo.digits.model import example_input  # noqa: PLC0415 torch may be missing
    from circuits.zoo.digits.train import train  # noqa: PLC0415
    from zkml.export.torch_module import export_module  # noqa: PLC0415

    trained = train()
    source = tmp_path / "digits.onnx"
    export_module(trained.module, example_input(), source, name="digits")
    system = open_system("octet")
    request = CompileRequest(
        "digits", source, trained.train_inputs[:256, None], tmp_path / "digits", SrsStore(tmp_path / "srs")
    )
    bundle = system.compile(request)
    assert bundle.manifest.fidelity.argmax_agreement >= 0.98
    assert circuit_facts(bundle)["log_rows"] <= 12
    images = trained.test_inputs[:40, None]
    integers = system.quantized_outputs(bundle, images)
    assert (integers.argmax(axis=1) == trained.test_labels[:40]).mean() >= 0.9
    packed = system.quantize_input(bundle, images[7])
    witness = system.witness(bundle, packed, tmp_path / "witness")
    assert unpack_output(bundle.manifest.tensor_layout, witness.output) == tuple(integers[7])
    system.mock(bundle, witness)
    proof = system.prove(bundle, witness).proof
    stranger = Bundle.open(bundle.path, roles=VERIFYING_ROLES)
    verify_proof(stranger, proof)
    answer = bytearray(witness.output)
    answer[-1] ^= 1
    with pytest.raises(ProofRejectedError):
        verify_proof(stranger, proof.model_copy(update={"output": "0x" + answer.hex()}))
    assert np.ptp(integers) > 0
