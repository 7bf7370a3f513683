"""A contract's ABI: encode calls, decode results, calldata and events. No I/O.

Values come back in one form only: addresses checksummed, bytes as `bytes`, structs as tuples. What does
not decode exactly is refused, because it came from a stranger.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eth_abi.abi import encode
from eth_abi.codec import ABIDecoder
from eth_abi.decoding import StringDecoder
from eth_abi.exceptions import DecodingError, EncodingError
from eth_abi.registry import registry
from eth_utils.abi import collapse_if_tuple
from eth_utils.address import to_checksum_address

from zkml.adapters.evm.answers import Log
from zkml.core.digests import keccak256
from zkml.errors import FormatError, RpcError

Abi = Sequence[Mapping[str, Any]]
"""The JSON ABI of a contract, as the compiler writes it."""


def _tolerant_decoder() -> ABIDecoder:
    """Return a decoder that replaces what is not UTF-8 in strings.

    Contracts accept any bytes as a string: were such a string refused here, one hostile job or model would
    stop everybody who reads events.
    """
    tolerant = registry.copy()  # type: ignore[no-untyped-call]
    tolerant.unregister_decoder("string")
    decoder = StringDecoder("replace")  # type: ignore[no-untyped-call]
    tolerant.register_decoder("string", decoder)
    return ABIDecoder(tolerant)


_DECODER = _tolerant_decoder()


@dataclass(frozen=True, slots=True)
class Entry:
    """One function, error or event.

    Attributes:
        name: e.g. `settle`.
        signature: e.g. `settle(bytes32,bytes,bytes,bytes)`.
        names: of the inputs; an unnamed one has its position.
        inputs: types of the inputs, structs spelled out.
        outputs: types of the results.
        indexed: for an event, which inputs are topics.
    """

    name: str
    signature: str
    names: tuple[str, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    indexed: tuple[bool, ...]

    @property
    def topic(self) -> bytes:
        """The 32 bytes by which an event is known."""
        return keccak256(self.signature.encode())

    @property
    def selector(self) -> bytes:
        """The 4 bytes by which a function or an error is known."""
        return self.topic[:4]

    def name_inputs(self, values: Sequence[Any]) -> dict[str, Any]:
        """Pair the inputs' names with values."""
        return dict(zip(self.names, values, strict=True))


@dataclass(frozen=True, slots=True)
class Event:
    """A decoded log."""

    name: str
    arguments: dict[str, Any]
    log: Log


def entries(abi: Abi, kind: str) -> tuple[Entry, ...]:
    """Return the entries of one kind: `function`, `error` or `event`."""
    return tuple(_entry(item) for item in abi if item.get("type") == kind)


def function(abi: Abi, name: str, argument_count: int | None = None) -> Entry:
    """Return the function `name`, or the one of its overloads that takes `argument_count` arguments.

    Raises:
        LookupError: none or several; a mistake of the programmer.
    """
    return _only(
        [
            entry
            for entry in entries(abi, "function")
            if entry.name == name and argument_count in (None, len(entry.inputs))
        ],
        f"function {name}",
    )


def event(abi: Abi, name: str) -> Entry:
    """Return the event `name`.

    Raises:
        LookupError: none or several; a mistake of the programmer.
    """
    return _only([entry for entry in entries(abi, "event") if entry.name == name], f"event {name}")


def encode_call(entry: Entry, arguments: Sequence[Any]) -> bytes:
    """Return the calldata of a call.

    Raises:
        FormatError: an argument does not fit its type.
    """
    return entry.selector + encode_arguments(entry.inputs, arguments, entry.name)


def encode_constructor(abi: Abi, arguments: Sequence[Any]) -> bytes:
    """Return what follows the bytecode in a contract's creation.

    Raises:
        FormatError: an argument does not fit its type.
    """
    constructors = [item for item in abi if item.get("type") == "constructor"]
    types = _types(constructors[0].get("inputs", ())) if constructors else ()
    return encode_arguments(types, arguments, "constructor")


def encode_arguments(types: Sequence[str], arguments: Sequence[Any], what: str) -> bytes:
    """ABI-encode `arguments`.

    Raises:
        FormatError: an argument does not fit its type.
    """
    try:
        return encode(list(types), [_plain(argument) for argument in arguments])
    except (EncodingError, ValueError, TypeError, OverflowError) as error:
        raise FormatError(f"expected arguments {', '.join(types)} of {what}, found {error!s:.200}") from error


def decode_values(types: Sequence[str], data: bytes, where: str) -> tuple[Any, ...]:
    """Decode ABI-encoded values.

    Raises:
        RpcError: the bytes are not of these types.
    """
    try:
        values = _DECODER.decode(list(types), data)
    except (DecodingError, ValueError, OverflowError) as error:
        raise RpcError(
            f"expected values of type ({', '.join(types)}), found {len(data)} other bytes in {where}",
            hint="the address holds another contract: check the deployment",
        ) from error
    return tuple(_checked(kind, value) for kind, value in zip(types, values, strict=True))


def decode_calldata(entry: Entry, calldata: bytes) -> dict[str, Any]:
    """Decode the calldata of a call of `entry`.

    Raises:
        FormatError: it calls another function, or its arguments do not decode.
    """
    if calldata[:4] != entry.selector:
        raise FormatError(f"expected a call of {entry.signature}, found selector 0x{calldata[:4].hex()}")
    try:
        values = decode_values(entry.inputs, calldata[4:], entry.signature)
    except RpcError as error:
        raise FormatError(f"expected the arguments of {entry.signature}, found other calldata") from error
    return entry.name_inputs(values)


def decode_log(entry: Entry, log: Log) -> Event:
    """Decode a log of the event `entry`.

    Raises:
        RpcError: it is of another event, or does not decode.
    """
    where = f"event {entry.name}"
    topic_types = [kind for kind, indexed in zip(entry.inputs, entry.indexed, strict=True) if indexed]
    data_types = [kind for kind, indexed in zip(entry.inputs, entry.indexed, strict=True) if not indexed]
    if len(log.topics) != len(topic_types) + 1 or log.topics[0] != entry.topic:
        raise RpcError(f"expected a log of {entry.signature}, found other topics in {log.transaction}")
    from_topics = iter(decode_values(topic_types, b"".join(log.topics[1:]), where))
    from_data = iter(decode_values(data_types, log.data, where))
    values = [next(from_topics) if indexed else next(from_data) for indexed in entry.indexed]
    return Event(entry.name, entry.name_inputs(values), log)


def topic_of(kind: str, value: Any) -> bytes:
    """Return the topic of an indexed value of a fixed size.

    Raises:
        FormatError: the value does not fit its type.
    """
    return encode_arguments([kind], [value], "topic")


def _entry(item: Mapping[str, Any]) -> Entry:
    inputs = item.get("inputs", ())
    types = _types(inputs)
    return Entry(
        name=item["name"],
        signature=f"{item['name']}({','.join(types)})",
        names=tuple(part.get("name") or str(position) for position, part in enumerate(inputs)),
        inputs=types,
        outputs=_types(item.get("outputs", ())),
        indexed=tuple(bool(part.get("indexed")) for part in inputs),
    )


def _types(parts: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(collapse_if_tuple(dict(part)) for part in parts)


def _only(found: list[Entry], what: str) -> Entry:
    if len(found) != 1:
        raise LookupError(f"expected one {what} in the ABI, found {len(found)}")
    return found[0]


def _plain(value: Any) -> Any:
    """Turn named tuples into tuples, all the way down: the encoder knows no other struct."""
    if isinstance(value, (list, tuple)):
        return tuple(_plain(item) for item in value)
    return value


def _checked(kind: str, value: Any) -> Any:
    """Checksum addresses, all the way down."""
    if kind == "address":
        return str(to_checksum_address(value))
    if kind.endswith("]"):
        return tuple(_checked(kind[: kind.rindex("[")], item) for item in value)
    if kind.startswith("("):
        return tuple(
            _checked(part, item) for part, item in zip(_split_struct(kind[1:-1]), value, strict=True)
        )
    return value


def _split_struct(inside: str) -> list[str]:
    parts, depth, start = [], 0, 0
    for position, letter in enumerate(inside):
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            parts.append(inside[start:position])
            start = position + 1
    return [*parts, inside[start:]] if inside else []
