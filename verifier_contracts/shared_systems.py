"""The proof systems whose circuits share one verifier on a chain, and what differs between them there."""

from dataclasses import dataclass

from verifier_contracts.artifacts import ContractArtifact, load_artifact
from verifier_contracts.ezkl_key import EzklKey
from verifier_contracts.octet_key import OctetKey
from verifier_contracts.shared_key import SharedKey
from zkml.errors import CircuitError


@dataclass(frozen=True, slots=True)
class SharedSystem:
    """A proof system's contracts.

    Attributes:
        name: as manifests carry it.
        implementation: name of the contract that adapters are clones of.
        factory: name of the contract that stores keys and makes adapters.
        key: what reads its keys.
        deployed_as: field of `Deployment` that has the factory. None where the implementation calls one
            compiled from generated source: then whoever has that source deploys both.
    """

    name: str
    implementation: str
    factory: str
    key: type[SharedKey]
    deployed_as: str | None

    @property
    def code(self) -> ContractArtifact:
        """The shipped contract that adapters are clones of."""
        return load_artifact(self.implementation)


SHARED_SYSTEMS = (
    SharedSystem("ezkl", "EzklSharedVerifier", "EzklSharedVerifierFactory", EzklKey, None),
    SharedSystem("octet", "OctetSharedVerifier", "OctetSharedVerifierFactory", OctetKey, "verifiers"),
)


def shared_system(name: str) -> SharedSystem:
    """Return a proof system's contracts.

    Args:
        name: as manifests carry it.

    Raises:
        CircuitError: this version knows no shared verifier of the system.
    """
    for system in SHARED_SYSTEMS:
        if system.name == name:
            return system
    raise CircuitError(f"expected a known proof system, found {name!r:.40}", hint="a newer zkml may know it")
