"""Step 11, on request: the verifier on chain is the one that the manifest's key generates.

Generating takes the proof system, compiling takes solc; where either is missing the step is skipped and
does not count. The rebuilding itself is given by the caller, so that this package compiles nothing.
"""

from collections.abc import Callable

from circuits.bundle import Bundle
from zkml.audit.job_case import JobCase
from zkml.core.digests import keccak256
from zkml.core.records import to_hex
from zkml.errors import EvidenceUnavailableError, VerifierMismatchError

VerifierSource = Callable[[Bundle], bytes]
"""Returns the runtime code of the verifier that a bundle's key generates."""


def verifier_is_rebuilt(case: JobCase, rebuild: VerifierSource) -> str:
    """Step 11: rebuild the generated verifier and compare code hashes.

    Raises:
        EvidenceUnavailableError: the circuit's adapter names no generated verifier.
        VerifierMismatchError: the chain runs other code.
        ToolchainError: the proof system or the compiler is not installed.
    """
    found = case.verifier.inner_code_hash
    if found is None:
        raise EvidenceUnavailableError(
            f"expected a generated verifier behind {case.spec.adapter}, found none"
        )
    expected = keccak256(rebuild(case.bundle))
    if found != expected:
        raise VerifierMismatchError(
            f"expected verifier code of hash {to_hex(expected)} from the key, found {to_hex(found)} on chain",
            hint="the verifier was not generated from this key, or with another compiler",
        )
    return to_hex(expected)
