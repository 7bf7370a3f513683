"""Which verifier classes a role trusts: one rule for requesters, provers and auditors.

LOCAL counts on local chain ids, and nowhere else; the others when policy names them. CEREMONY says that the
router found audited shared code and a public ceremony's key; that the key is the circuit it claims is for
whoever rebuilds it to say (attestations).
"""

from collections.abc import Collection

from zkml.core.identifiers import LOCAL_CHAIN_IDS, VerifierClass
from zkml.errors import ConfigError, UnsuitableCircuitError

CHOICES = VerifierClass.NAMES[1:]
"""What a policy may name; `none` is no class to trust."""


def accepted_classes(names: Collection[str], chain_id: int) -> frozenset[int]:
    """Return the numbers of the classes to trust on a chain; no name adds LOCAL where it does not belong.

    Raises:
        ConfigError: a name that is no choice.
    """
    for name in names:
        if name not in CHOICES:
            raise ConfigError(
                f"expected classes among {', '.join(CHOICES)}, found {name!r:.40} in chain.accepted_classes"
            )
    numbers = {VerifierClass.NAMES.index(name) for name in names} - {VerifierClass.LOCAL}
    return frozenset(numbers | ({VerifierClass.LOCAL} if chain_id in LOCAL_CHAIN_IDS else set()))


def check_class(found: int, accepted: frozenset[int], chain_id: int) -> None:
    """Check that a circuit's verifier is of a class that is trusted on this chain.

    Raises:
        UnsuitableCircuitError: it is not, or it claims to be a local one elsewhere.
    """
    is_misplaced = found == VerifierClass.LOCAL and chain_id not in LOCAL_CHAIN_IDS
    if found in accepted and found != VerifierClass.NONE and not is_misplaced:
        return
    names = [class_name(number) for number in sorted(accepted)]
    raise UnsuitableCircuitError(
        f"expected a verifier of class {' or '.join(names) or 'none at all'}, "
        f"found {class_name(found)} on chain {chain_id}",
        hint="chain.accepted_classes says what you trust; local is for local chains only",
    )


def class_name(number: int) -> str:
    """Return the name of a class, or its number when it has none."""
    known = 0 <= number < len(VerifierClass.NAMES)
    return VerifierClass.NAMES[number] if known else f"number {number}"
