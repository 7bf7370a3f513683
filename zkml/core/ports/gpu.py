"""The port of GPU counters: what the devices themselves say, whoever claims to use them."""

from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Gpu:
    """One device.

    Attributes:
        index: its number on this machine.
        uuid: its name for ever.
        name: its maker's name for it.
        memory_bytes: all of its memory.
        used_bytes: what all programs use of it now.
        utilisation_percent: share of the last second in which it worked, or None where it does not say.
    """

    index: int
    uuid: str
    name: str
    memory_bytes: int
    used_bytes: int
    utilisation_percent: int | None


@dataclass(frozen=True, slots=True)
class GpuReport:
    """The devices of a machine.

    Attributes:
        driver: version of the driver; empty where there is none.
        gpus: the devices.
        reason: why there are none; empty where there are.
    """

    driver: str
    gpus: tuple[Gpu, ...]
    reason: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {"driver": self.driver, "reason": self.reason, "gpus": [asdict(gpu) for gpu in self.gpus]}


class GpuCounters(Protocol):
    """What the devices count. Nothing here raises: a machine without devices is no error."""

    def report(self) -> GpuReport:
        """Return the devices as they are now."""

    def memory_of(self, processes: Collection[int]) -> int | None:
        """Return the bytes of device memory that these processes use together.

        Returns:
            0 where no device lists one of them; None where the devices do not say.
        """
