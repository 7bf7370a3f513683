"""Proof files of strangers that lie in one place: each has its verdict."""

import pytest
from octet_bundles import changed_settings, lying, small_bundle, small_proof

from circuits.bundle import VERIFYING_ROLES, Bundle
from circuits.verification import verify_proof
from zkml.errors import BindingError, InstanceMismatchError, ProofRejectedError, VerifierMismatchError


def flipped(text: str, at: int) -> str:
    """Return hexadecimal with one digit changed."""
    return text[:at] + format(int(text[at], 16) ^ 1, "x") + text[at + 1 :]


LIES_OF_PROOFS = {
    "another circuit": (BindingError, lambda it: {"circuit": "sha256:" + "0" * 64}),
    "another key": (VerifierMismatchError, lambda it: {"verifying_key": "sha256:" + "0" * 64}),
    "another version": (BindingError, lambda it: {"system_version": "0.9"}),
    "a word less": (ProofRejectedError, lambda it: {"proof": it.proof[:-64]}),
    "a word more": (ProofRejectedError, lambda it: {"proof": it.proof + "00" * 32}),
    "half a word more": (ProofRejectedError, lambda it: {"proof": it.proof + "00" * 16}),
    "no proof": (ProofRejectedError, lambda it: {"proof": "0x"}),
    "another first word": (ProofRejectedError, lambda it: {"proof": flipped(it.proof, 40)}),
    "another last word": (ProofRejectedError, lambda it: {"proof": flipped(it.proof, len(it.proof) - 1)}),
    "words of ones": (ProofRejectedError, lambda it: {"proof": "0x" + "ff" * (len(it.proof) // 2 - 1)}),
    "another input": (ProofRejectedError, lambda it: {"input": flipped(it.input, 5)}),
    "an input beyond the domain": (
        InstanceMismatchError,
        lambda it: {"input": "0x" + "7f" * (len(it.input) // 2 - 1)},
    ),
    "half an input": (InstanceMismatchError, lambda it: {"input": it.input[:4]}),
    "another output": (ProofRejectedError, lambda it: {"output": flipped(it.output, len(it.output) - 1)}),
    "the least output there is": (ProofRejectedError, lambda it: {"output": "0x80000000" + it.output[10:]}),
    "half an output": (InstanceMismatchError, lambda it: {"output": it.output[:8]}),
    "another context": (BindingError, lambda it: {"context": "0x" + "01" * 32}),
}


@pytest.mark.parametrize("lie", LIES_OF_PROOFS)
def test_hostile_proof__each_lie_has_its_verdict(lie):
    """A proof file of a stranger says something else in one place, and the verdict says what."""
    error, change = LIES_OF_PROOFS[lie]
    stranger = Bundle.open(small_bundle().path, roles=VERIFYING_ROLES)
    proof = small_proof()
    with pytest.raises(error):
        verify_proof(stranger, proof.model_copy(update=change(proof)))


def test_hostile_proof__renamed_to_a_circuit_that_gives_its_integers_another_meaning_is_rejected(tmp_path):
    """Same program, same key files, another scale of the outputs: the words are of another statement."""
    bundle, proof = small_bundle(), small_proof()
    bits = bundle.manifest.output_scale_bits - 9
    data = changed_settings(bundle, lambda fields: fields["port"].update(output_scale_bits=bits))
    rescaled = lying(bundle, tmp_path / "b", {"settings": data}, output_scale_bits=bits)
    assert rescaled.manifest.verifying_key == proof.verifying_key
    with pytest.raises(ProofRejectedError):
        verify_proof(rescaled, proof.model_copy(update={"circuit": rescaled.manifest.circuit}))
    verify_proof(bundle, proof)
