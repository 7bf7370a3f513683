"""What an auditor is ready to trust: verifier classes, and how deep is final. No I/O."""

from dataclasses import dataclass

from zkml.config.settings import ChainSettings
from zkml.core.identifiers import LOCAL_CHAIN_IDS, VerifierClass
from zkml.errors import ConfigError, UnsuitableCircuitError

INSECURE_SRS = "insecure SRS: no security"
"""The words shown wherever somebody may know tau, and so forge any proof."""


@dataclass(frozen=True, slots=True)
class AuditPolicy:
    """The auditor's own terms; nothing on chain can widen them.

    Attributes:
        accepted_classes: numbers of `VerifierClass` to trust besides LOCAL, which counts on local chain
            ids and nowhere else.
        finality_blocks: blocks on top before a transaction is final; 0 on local chain ids.
    """

    accepted_classes: frozenset[int] = frozenset({VerifierClass.CEREMONY})
    finality_blocks: int = 64

    @classmethod
    def from_settings(cls, settings: ChainSettings) -> "AuditPolicy":
        """Return the policy that the settings describe.

        Raises:
            ConfigError: a class of an unknown name.
        """
        numbers = set()
        for name in settings.accepted_classes:
            if name not in VerifierClass.NAMES[1:]:
                raise ConfigError(
                    f"expected classes among {', '.join(VerifierClass.NAMES[1:])}, found {name!r:.40} "
                    "in chain.accepted_classes"
                )
            numbers.add(VerifierClass.NAMES.index(name))
        return cls(frozenset(numbers), settings.finality_blocks)

    def finality_on(self, chain_id: int) -> int:
        """Return how many blocks make a transaction final on this chain."""
        return 0 if chain_id in LOCAL_CHAIN_IDS else self.finality_blocks

    def accepts(self, verifier_class: int, chain_id: int) -> bool:
        """Say whether a verifier of this class is trusted on this chain."""
        if verifier_class == VerifierClass.LOCAL:
            return chain_id in LOCAL_CHAIN_IDS
        return verifier_class in self.accepted_classes and verifier_class != VerifierClass.NONE

    def check_class(self, verifier_class: int, chain_id: int) -> None:
        """Check that a verifier's class is trusted on this chain.

        Raises:
            UnsuitableCircuitError: it is not.
        """
        if not self.accepts(verifier_class, chain_id):
            accepted = [VerifierClass.NAMES[number] for number in sorted(self.accepted_classes)]
            raise UnsuitableCircuitError(
                f"expected a verifier of class {' or '.join(accepted) or 'none at all'}, "
                f"found {class_name(verifier_class)} on chain {chain_id}",
                hint="chain.accepted_classes says what you trust; local is for local chains only",
            )


def class_name(verifier_class: int) -> str:
    """Return the name of a class, or its number when it has none."""
    known = 0 <= verifier_class < len(VerifierClass.NAMES)
    return VerifierClass.NAMES[verifier_class] if known else f"number {verifier_class}"
