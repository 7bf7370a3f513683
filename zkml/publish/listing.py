"""What a publisher decides about a model besides its circuits."""

from dataclasses import dataclass, field

from circuits.verifier_source import VerifierChoice
from registry.lineage import Parent
from zkml.core.identifiers import ZERO32, DerivativeTerms, FeeTerms


@dataclass(frozen=True, slots=True)
class Listing:
    """The terms under which a model is published.

    Attributes:
        licence: SPDX expression of the weights' licence.
        dataset_digest: SHA-256 that names the training data; zeros: undeclared.
        key_commitment: keccak256 of the key that the published artifact is encrypted with; zeros: nothing
            is encrypted, and everybody may prove the model.
        predecessor: the model of the same owner that this is a new version of, or 0.
        fees: what the model asks for.
        derivatives: what derivatives owe.
        parents: the models that this one derives from, with the rates that are offered.
        max_total_ppm: the most that all parents together may be granted, in millionths.
        verifier: which verifier its circuits get; the usual one of their proof system when None.
    """

    licence: str = "Apache-2.0"
    dataset_digest: bytes = ZERO32
    key_commitment: bytes = ZERO32
    predecessor: int = 0
    fees: FeeTerms = field(default_factory=FeeTerms)
    derivatives: DerivativeTerms = field(default_factory=DerivativeTerms)
    parents: tuple[Parent, ...] = ()
    max_total_ppm: int = 500_000
    verifier: VerifierChoice | None = None
