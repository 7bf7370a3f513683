"""Provers and verifiers of these tests behind one interface: the specification's, the contract, and the native ones
where a compiler builds them."""

from functools import cache

from evm_verifier import EvmVerifier
from native_system import NativeVerifying, has_compiler, provers_of_all_paths
from removable_checks import without as careless
from trapdoor import trapdoor_key

from circuits.octet.spec import prover, statement, verifier
from circuits.octet.spec.transcript import Transcript
from zkml.errors import ProofRejectedError

SPECIFICATION = "specification"


class Specification:
    """The normative verifier, with tau in the place of the pairing."""

    name = SPECIFICATION

    def has(self, check):
        """Whether a check is this verifier's: every one is."""
        return bool(check)

    def prove(self, key, claim, witness):
        """Return the words of a proof."""
        return prover.prove(key, claim, witness)

    def states(self, key, claim, words):
        """Return the transcript's state after each step of an accepting verifier."""
        transcript = Transcript(statement.seed(key.verifying, claim).state)
        verifier.verify(key.verifying, claim, words, trapdoor_key(key.srs), transcript)
        return [event.state for event in transcript.events]

    def accepts(self, key, claim, words, without=""):
        """Whether words prove a claim, to a verifier that lacks one check or none."""
        try:
            with careless(without):
                verifier.verify(key.verifying, claim, words, trapdoor_key(key.srs))
        except ProofRejectedError:
            return False
        return True


@cache
def verifiers():
    """Every verifier this machine has."""
    return (*tracing_verifiers(), EvmVerifier())


@cache
def tracing_verifiers():
    """Every verifier that tells the states of its transcript."""
    return (Specification(), *native_verifiers())


@cache
def native_verifiers():
    """The verifier in C++, where a compiler builds it."""
    return (NativeVerifying(),) if has_compiler() else ()


@cache
def native_provers():
    """Every native prover this machine has: all paths, the fastest first, and it again with one thread."""
    return provers_of_all_paths() if has_compiler() else ()
