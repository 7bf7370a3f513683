"""Step 11, on request: the verifier on chain is the one that the manifest's key makes.

Making it takes the proof system, compiling takes solc; where either is missing there is no verdict. The
rebuilding itself is given by the caller, so that this package compiles nothing.
"""

from collections.abc import Callable
from typing import Literal

from circuits.bundle import Bundle
from verifier_contracts.deployed_verifier import DeployedVerifier
from verifier_contracts.expected_verifier import ExpectedVerifier
from zkml.audit.proof_case import ProofCase
from zkml.core.records import to_hex
from zkml.errors import EvidenceUnavailableError, VerifierMismatchError

VerifierSource = Callable[[Bundle, Literal["generated", "shared"]], ExpectedVerifier]
"""Makes the verifier of one kind that a bundle's key leads to."""


def verifier_is_rebuilt(case: ProofCase, rebuild: VerifierSource) -> str:
    """Step 11: make the verifier of the model's first circuit anew; raises as `compare_verifier` does."""
    return compare_verifier(case.bundle, case.reader.verifier(case.commitment.circuit_id), rebuild)


def compare_verifier(bundle: Bundle, deployed: DeployedVerifier, rebuild: VerifierSource) -> str:
    """Make a bundle's verifier anew, and compare it with a chain's; return a remark.

    Raises:
        EvidenceUnavailableError: the circuit's adapter is none of ours.
        VerifierMismatchError: the chain runs other code, or pins another key, layout or weights.
        ToolchainError: the proof system or the compiler is not installed.
    """
    if deployed.kind == "other":
        raise EvidenceUnavailableError(
            f"expected an adapter of this version of zkml, found another at {deployed.spec.adapter}",
            hint="what it checks can only be read in its source",
        )
    expected = rebuild(bundle, deployed.kind)
    difference = expected.difference_from(deployed)
    if difference is not None:
        raise VerifierMismatchError(
            f"expected the verifier that the key makes, found that {difference}",
            hint="the verifier was not made from this key, or with another compiler or release of zkml",
        )
    return f"{deployed.kind}, key {to_hex(expected.key_digest)}"
