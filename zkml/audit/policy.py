"""What an auditor is ready to trust: verifier classes, and how deep is final. No I/O."""

from dataclasses import dataclass

from zkml.config.settings import ChainSettings
from zkml.core.identifiers import LOCAL_CHAIN_IDS, VerifierClass
from zkml.core.verifier_classes import accepted_classes, check_class

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
        # Of a chain that is not local: LOCAL is added by `check_class`, chain by chain.
        return cls(accepted_classes(settings.accepted_classes, chain_id=0), settings.finality_blocks)

    def finality_on(self, chain_id: int) -> int:
        """Return how many blocks make a transaction final on this chain."""
        return 0 if chain_id in LOCAL_CHAIN_IDS else self.finality_blocks

    def check_class(self, verifier_class: int, chain_id: int) -> None:
        """Check that a verifier's class is trusted on this chain.

        Raises:
            UnsuitableCircuitError: it is not.
        """
        local = {VerifierClass.LOCAL} if chain_id in LOCAL_CHAIN_IDS else set()
        check_class(verifier_class, self.accepted_classes | local, chain_id)
