"""What an endpoint answers, parsed once into narrow types. No I/O.

An endpoint is a stranger: every field is checked for form and size before anybody looks at it.
"""

import re
from dataclasses import dataclass
from typing import Any

from eth_utils.address import to_checksum_address

from zkml.errors import RpcError

MAX_DATA_BYTES = 16 * 1024 * 1024
"""No calldata, log or return value is longer than this."""
MAX_LOGS_PER_ANSWER = 50_000
MAX_LOGS_PER_RECEIPT = 10_000

_QUANTITY = re.compile(r"0x[0-9a-fA-F]{1,64}")
_DATA = re.compile(r"0x(?:[0-9a-fA-F]{2})*")
_HASH = re.compile(r"0x[0-9a-fA-F]{64}")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")


@dataclass(frozen=True, slots=True)
class Block:
    """A block's head.

    Attributes:
        number: height; of a pending block, the height it will have.
        block_hash: 0x and 64 lower-case digits; empty for a pending block.
        parent_hash: that of the block before; empty where the node leaves it out.
        timestamp: chain time in seconds since 1970.
        base_fee_wei: EIP-1559 base fee, or None on a chain without one.
        gas_limit: gas that all its transactions may use together.
    """

    number: int
    block_hash: str
    parent_hash: str
    timestamp: int
    base_fee_wei: int | None
    gas_limit: int


@dataclass(frozen=True, slots=True)
class Log:
    """One event as a contract emitted it, not yet decoded."""

    address: str
    topics: tuple[bytes, ...]
    data: bytes
    block: int
    block_hash: str
    transaction: str
    index: int


@dataclass(frozen=True, slots=True)
class TransactionReceipt:
    """What a mined transaction did.

    Attributes:
        transaction: its hash, 0x and 64 lower-case digits.
        block: height of its block.
        block_hash: hash of its block.
        succeeded: False when it reverted.
        gas_used: gas it cost.
        gas_price_wei: price of one gas that was paid.
        contract: checksummed address of the contract it created, or None.
        logs: events in the order they were emitted.
    """

    transaction: str
    block: int
    block_hash: str
    succeeded: bool
    gas_used: int
    gas_price_wei: int
    contract: str | None
    logs: tuple[Log, ...]


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction as its sender signed it; `block` is None until it is mined."""

    transaction: str
    sender: str
    target: str | None
    data: bytes
    value_wei: int
    nonce: int
    block: int | None
    block_hash: str | None


def nonsense(expected: str, found: Any, where: str) -> RpcError:
    """Return the error for an answer of the wrong form."""
    return RpcError(
        f"expected {expected}, found {found!r:.80} in the node's answer to {where}",
        hint="the endpoint is no Ethereum node, or a faulty one: check --rpc-url",
    )


def quantity(value: Any, where: str, bits: int = 256) -> int:
    """Parse a hexadecimal number of at most `bits` bits.

    Raises:
        RpcError: it is something else.
    """
    if not isinstance(value, str) or not _QUANTITY.fullmatch(value) or int(value, 16) >> bits:
        raise nonsense(f"a hexadecimal number of at most {bits} bits", value, where)
    return int(value, 16)


def data(value: Any, where: str) -> bytes:
    """Parse hexadecimal bytes, at most 16 MiB.

    Raises:
        RpcError: it is something else.
    """
    if not isinstance(value, str) or len(value) > 2 + 2 * MAX_DATA_BYTES or not _DATA.fullmatch(value):
        raise nonsense(f"at most {MAX_DATA_BYTES} bytes in hexadecimal", value, where)
    return bytes.fromhex(value[2:])


def hash_text(value: Any, where: str) -> str:
    """Parse 32 bytes and return them as 0x and 64 lower-case digits.

    Raises:
        RpcError: it is something else.
    """
    if not isinstance(value, str) or not _HASH.fullmatch(value):
        raise nonsense("a hash of 32 bytes", value, where)
    return value.lower()


def address(value: Any, where: str) -> str:
    """Parse an address and return it checksummed.

    Raises:
        RpcError: it is something else.
    """
    if not isinstance(value, str) or not _ADDRESS.fullmatch(value):
        raise nonsense("an address", value, where)
    return str(to_checksum_address(value))


def block(value: Any, where: str) -> Block:
    """Parse the head of a block.

    Raises:
        RpcError: a field is missing or of another form.
    """
    fields = _object(value, where)
    base_fee = fields.get("baseFeePerGas")
    found, parent = fields.get("hash"), fields.get("parentHash")
    return Block(
        number=quantity(fields.get("number"), where, 64),
        block_hash="" if found is None else hash_text(found, where),
        parent_hash="" if parent is None else hash_text(parent, where),
        timestamp=quantity(fields.get("timestamp"), where, 64),
        base_fee_wei=None if base_fee is None else quantity(base_fee, where, 128),
        gas_limit=quantity(fields.get("gasLimit"), where, 64),
    )


def log(value: Any, where: str) -> Log:
    """Parse one mined log.

    Raises:
        RpcError: a field is missing or of another form, or the log was removed by a reorg.
    """
    fields = _object(value, where)
    topics = fields.get("topics")
    if not isinstance(topics, list) or len(topics) > 4:
        raise nonsense("at most four topics", topics, where)
    if fields.get("removed"):
        raise nonsense("a log of the canonical chain", "a removed one", where)
    return Log(
        address=address(fields.get("address"), where),
        topics=tuple(bytes.fromhex(hash_text(topic, where)[2:]) for topic in topics),
        data=data(fields.get("data"), where),
        block=quantity(fields.get("blockNumber"), where, 64),
        block_hash=hash_text(fields.get("blockHash"), where),
        transaction=hash_text(fields.get("transactionHash"), where),
        index=quantity(fields.get("logIndex"), where, 32),
    )


def logs(value: Any, where: str, limit: int = MAX_LOGS_PER_ANSWER) -> tuple[Log, ...]:
    """Parse a list of at most `limit` logs, in the order they were emitted.

    Raises:
        RpcError: no list, too long, or an element of another form.
    """
    if not isinstance(value, list) or len(value) > limit:
        found = len(value) if isinstance(value, list) else value
        raise nonsense(f"a list of at most {limit} logs", found, where)
    return tuple(sorted((log(item, where) for item in value), key=lambda item: (item.block, item.index)))


def receipt(value: Any, transaction: str) -> TransactionReceipt:
    """Parse the receipt of `transaction`.

    Raises:
        RpcError: a field is missing or of another form, or it is another transaction's.
    """
    where = "eth_getTransactionReceipt"
    fields = _object(value, where)
    found = hash_text(fields.get("transactionHash"), where)
    if found != transaction.lower():
        raise nonsense(f"the receipt of {transaction}", found, where)
    created = fields.get("contractAddress")
    price = fields.get("effectiveGasPrice")
    parsed = TransactionReceipt(
        transaction=found,
        block=quantity(fields.get("blockNumber"), where, 64),
        block_hash=hash_text(fields.get("blockHash"), where),
        succeeded=quantity(fields.get("status"), where, 1) == 1,
        gas_used=quantity(fields.get("gasUsed"), where, 64),
        gas_price_wei=0 if price is None else quantity(price, where, 128),
        contract=None if created is None else address(created, where),
        logs=logs(fields.get("logs"), where, MAX_LOGS_PER_RECEIPT),
    )
    for item in parsed.logs:
        if (item.transaction, item.block_hash) != (parsed.transaction, parsed.block_hash):
            raise nonsense(f"logs of {transaction} only", item.transaction, where)
    return parsed


def transaction(value: Any, transaction_hash: str) -> Transaction:
    """Parse the transaction `transaction_hash`.

    Raises:
        RpcError: a field is missing or of another form, or it is another transaction.
    """
    where = "eth_getTransactionByHash"
    fields = _object(value, where)
    found = hash_text(fields.get("hash"), where)
    if found != transaction_hash.lower():
        raise nonsense(f"transaction {transaction_hash}", found, where)
    target, number, block_hash = fields.get("to"), fields.get("blockNumber"), fields.get("blockHash")
    is_mined = number is not None and block_hash is not None
    return Transaction(
        transaction=found,
        sender=address(fields.get("from"), where),
        target=None if target is None else address(target, where),
        data=data(fields.get("input"), where),
        value_wei=quantity(fields.get("value"), where),
        nonce=quantity(fields.get("nonce"), where, 64),
        block=quantity(number, where, 64) if is_mined else None,
        block_hash=hash_text(block_hash, where) if is_mined else None,
    )


def _object(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise nonsense("an object", value, where)
    return value
