"""Server-sent events, read from bytes as they come, with bounds. No I/O.

Source: WHATWG HTML, "Server-sent events", 9.2.6 Interpreting an event stream.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from zkml.errors import ServiceUnreachableError

MAX_EVENTS = 10_000


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event: its name, `message` where none was given, and its data."""

    name: str
    data: bytes


def read_events(chunks: Iterable[bytes], *, max_event_bytes: int) -> Iterator[ServerEvent]:
    """Yield the events of a stream; one that is cut off in the middle is dropped.

    Raises:
        ServiceUnreachableError: an event is larger than `max_event_bytes`, or there are too many.
    """
    name, data, size, count = b"", list[bytes](), 0, 0
    for line in _lines(chunks, max_event_bytes):
        size += len(line)
        if size > max_event_bytes:
            raise _too_large(max_event_bytes)
        if not line:
            if data:
                count += 1
                if count > MAX_EVENTS:
                    raise ServiceUnreachableError(f"expected at most {MAX_EVENTS} events, found more")
                yield ServerEvent(name.decode("utf-8", "replace") or "message", b"\n".join(data))
            name, data, size = b"", [], 0
            continue
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value[:64]


def _lines(chunks: Iterable[bytes], limit: int) -> Iterator[bytes]:
    """Yield lines that end with CR LF, LF or CR, without their ends; what follows the last end is dropped."""
    begun, is_cut = bytearray(), False
    for chunk in chunks:
        # A CR at the end of a chunk may be half of a CR LF: it waits for the next one.
        held = b"\r" + chunk if is_cut else chunk
        is_cut = held.endswith(b"\r")
        first, *lines = held.removesuffix(b"\r").replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        # What is begun is added to and never copied: a long line may come in very small pieces.
        begun += first
        for line in lines:
            yield bytes(begun)
            begun = bytearray(line)
        if len(begun) > limit:
            raise _too_large(limit)


def _too_large(limit: int) -> ServiceUnreachableError:
    return ServiceUnreachableError(f"expected events of at most {limit} bytes, found a larger one")
