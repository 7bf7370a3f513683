"""A node's log: one line an event, as text or JSON, without a secret. The one door to structlog.

The modules go on writing to Python's `logging`; what is set here decides how their lines look.
"""

import logging
import sys
import threading
from collections.abc import Callable, MutableMapping
from typing import Any, Literal, TextIO

import structlog

from zkml.config.redaction import HIDDEN, SECRET_NAMES, Redactor

LogForm = Literal["text", "json"]

_OURS = ("prover_nodes", "zkml", "circuits", "marketplace", "registry", "verifier_contracts")
_QUIET = ("urllib3", "web3", "asyncio", "httpx", "uvicorn.access")
"""Their requests are no events of the node."""

_Event = MutableMapping[str, Any]
_Processor = Callable[[Any, str, _Event], _Event]


def configure_logging(
    *,
    form: LogForm = "text",
    redactor: Redactor | None = None,
    level: int = logging.INFO,
    stream: TextIO | None = None,
) -> logging.Handler:
    """Send every record of this process to one stream; call it once, before threads begin.

    Args:
        form: lines for people, or one JSON object each.
        redactor: takes secrets out of each line.
        level: least level of our own records; others are shown from warnings on.
        stream: where to; stderr when None.

    Returns:
        The handler, for whoever wants to remove it again.
    """
    before: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        _drop_rendered,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_thread,
    ]
    after: list[Any] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info,
        redacting(redactor or Redactor()),
        structlog.processors.JSONRenderer() if form == "json" else _as_text,
    ]
    formatter = structlog.stdlib.ProcessorFormatter(processors=after, foreign_pre_chain=before)
    handler = logging.StreamHandler(sys.stderr if stream is None else stream)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    for old in [found for found in root.handlers if getattr(found, "is_zkml", False)]:
        root.removeHandler(old)
    handler.is_zkml = True  # type: ignore[attr-defined]
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    for name in _OURS:
        logging.getLogger(name).setLevel(level)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    return handler


def redacting(redactor: Redactor) -> _Processor:
    """Return a processor that takes secrets out of every text of an event, however deep."""

    def clean(value: Any) -> Any:
        if isinstance(value, str):
            return redactor(value)
        if isinstance(value, bytes | bytearray | memoryview):
            return redactor(bytes(value).hex())
        if isinstance(value, dict):
            return {
                redactor(str(name)): HIDDEN if SECRET_NAMES.search(str(name)) else clean(inner)
                for name, inner in value.items()
            }
        if isinstance(value, list | tuple | set | frozenset):
            return [clean(inner) for inner in value]
        if value is None or isinstance(value, bool | int | float):
            return value
        return redactor(str(value))

    def process(_logger: Any, _method: str, event: _Event) -> _Event:
        cleaned: _Event = clean(dict(event))
        return cleaned

    return process


def _drop_rendered(_logger: Any, _method: str, event: _Event) -> _Event:
    # Another handler that was faster has left its own text at the record.
    event.pop("message", None)
    event.pop("asctime", None)
    return event


def _add_thread(_logger: Any, _method: str, event: _Event) -> _Event:
    event["thread"] = threading.current_thread().name
    return event


def _as_text(_logger: Any, _method: str, event: _Event) -> str:
    when, level = event.pop("timestamp", ""), str(event.pop("level", "info")).upper()
    logger, thread = event.pop("logger", ""), event.pop("thread", "")
    message, exception = str(event.pop("event", "")), event.pop("exception", "")
    fields = "".join(f" {name}={value}" for name, value in sorted(event.items()))
    line = _one_line(f"{when} {level:<7} {logger} [{thread}] {message}{fields}")
    return "\n".join([line, *(_one_line(part) for part in str(exception).splitlines())])


def _one_line(text: str) -> str:
    # Names come from strangers: none of them may begin a line of the log or move a terminal's cursor.
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text
    )
