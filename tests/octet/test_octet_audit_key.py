"""Which adapter a bundle's key was given to: an auditor of a job looks at its system as well as at its words."""

from dataclasses import dataclass, replace

import pytest
from octet_bundles import small_bundle

from verifier_contracts.shared_adapter import SharedAdapter
from verifier_contracts.shared_systems import SharedSystem, shared_system
from zkml.audit.offchain import verify_key
from zkml.circuit_verifiers import make_shared_key
from zkml.core.identifiers import ZERO32, CircuitSpec, VerifierClass, proof_system_id
from zkml.errors import VerifierMismatchError


@dataclass(frozen=True)
class Deployed:
    """What `verify_key` asks of a deployed verifier."""

    spec: CircuitSpec
    shared: SharedAdapter
    system: SharedSystem


@pytest.fixture(scope="module")
def deployed():
    manifest, key = small_bundle().manifest, make_shared_key(small_bundle())
    adapter = "0x" + "aa" * 20
    layout, domain = manifest.tensor_layout, manifest.input_domain
    system_id = proof_system_id(manifest.proof_system)
    spec = CircuitSpec(
        adapter, ZERO32, key.digest, ZERO32, system_id, layout, domain, 1_000_000, VerifierClass.LOCAL
    )
    pins = SharedAdapter(adapter, key.digest, ZERO32, layout, len(key.words), (adapter,))
    return Deployed(spec, pins, shared_system("octet"))


def test_verify_key__adapter_of_the_bundles_system__accepted(deployed):
    """The words, the tensors and the system are the bundle's."""
    verify_key(small_bundle(), deployed)


def test_verify_key__the_same_words_in_an_adapter_of_another_system__refused(deployed):
    """Whoever gives OCTET's key to EZKL's adapter has a circuit that the bundle says nothing about."""
    with pytest.raises(VerifierMismatchError, match="shared verifier of octet"):
        verify_key(small_bundle(), replace(deployed, system=shared_system("ezkl")))
