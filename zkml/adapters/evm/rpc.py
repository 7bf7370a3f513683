"""A chain behind a JSON-RPC endpoint: reads, and the errors of everything that can go wrong there.

Reads are repeated a few times when the connection fails. Nothing here holds a key or signs.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self

from zkml.adapters.evm import answers
from zkml.adapters.evm.answers import Block, Log, Transaction, TransactionReceipt
from zkml.adapters.evm.reverts import STANDARD_REVERTS, RevertDecoder
from zkml.adapters.evm.thread_locks import THREAD_LOCKS
from zkml.adapters.evm.transport import (
    BoundedHttpProvider,
    NodeRefusal,
    OversizedAnswer,
    TransportFault,
    redact,
)
from zkml.core.digests import keccak256
from zkml.core.identifiers import LOCAL_CHAIN_IDS
from zkml.core.ports.sending_lock import SendingLock
from zkml.errors import ConfigError, InsufficientFundsError, RpcError, WrongChainError

LOG_RANGE_BLOCKS = 2_000
"""How many blocks one eth_getLogs asks about; public endpoints refuse more."""
DEFAULT_CONFIRMATIONS = 3
DEFAULT_MAX_FEE_GWEI = 500.0

_METHOD_NOT_FOUND = -32601
_BACKOFF_SECONDS = 0.1

BlockTag = int | str
"""A height, or `latest`, `pending`, `safe`, `finalized`."""


class Chain:
    """One chain, checked to be the expected one when it is connected.

    Attributes:
        endpoint: where, without credentials or path.
        chain_id: EIP-155 id.
        genesis_hash: hash of block 0, which tells local chains of one id apart.
        confirmations: how many blocks on top make a transaction count; 0 on local chains.
        receipt_timeout_seconds: how long a transaction may take to be mined and confirmed.
        max_fee_gwei: the most that one gas may cost in a transaction signed for this chain.
        sending_lock: keeps whoever sends for one account from taking one nonce twice.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        expected_chain_id: int | None = None,
        timeout_seconds: float = 15.0,
        receipt_timeout_seconds: float = 180.0,
        attempts: int = 3,
        confirmations: int = DEFAULT_CONFIRMATIONS,
        max_fee_gwei: float = DEFAULT_MAX_FEE_GWEI,
        sending_lock: SendingLock = THREAD_LOCKS,
    ) -> None:
        """Connect.

        Args:
            endpoint: http or https URL.
            expected_chain_id: EIP-155 id that it must serve; any when None.
            timeout_seconds: for one request.
            receipt_timeout_seconds: for a transaction to be mined and confirmed.
            attempts: how often a request is sent when the connection fails.
            confirmations: blocks on top that make a transaction count; taken as 0 on local chains.
            max_fee_gwei: the most to pay for one gas, whatever the endpoint suggests.
            sending_lock: held by whoever sends for an account; over this process's threads by default.

        Raises:
            ConfigError: no http(s) URL.
            RpcError: the endpoint is down, slow or answers nonsense.
            WrongChainError: it serves another chain.
        """
        if not endpoint.startswith(("http://", "https://")):
            raise ConfigError(
                f"expected an http(s) URL of a node, found {endpoint!r:.80}", hint="correct --rpc-url"
            )
        self.endpoint = redact(endpoint)
        self._attempts = attempts
        self._provider = BoundedHttpProvider(endpoint, timeout_seconds)
        try:
            self.chain_id = self._identify(expected_chain_id)
            self.genesis_hash = self.block(0).block_hash
        except BaseException:
            self.close()
            raise
        self.confirmations = 0 if self.is_local else confirmations
        self.receipt_timeout_seconds = receipt_timeout_seconds
        self.max_fee_gwei = max_fee_gwei
        self.sending_lock = sending_lock

    def close(self) -> None:
        """Close the connection."""
        self._provider.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def is_local(self) -> bool:
        """Whether its id is one of the local chains'."""
        return self.chain_id in LOCAL_CHAIN_IDS

    @property
    def head(self) -> str:
        """The block tag that calls are simulated at.

        A local node mines on demand: time passes at its head only when somebody sends a transaction, so
        what the next transaction will see is the pending block.
        """
        return "pending" if self.is_local else "latest"

    def request(self, method: str, *params: Any) -> Any:
        """Send a request that may be repeated, and return its result unchecked.

        Raises:
            RpcError: down, slow, nonsense, or the node refused.
        """
        try:
            return self._send(method, list(params))
        except NodeRefusal as refusal:
            raise self.refused(method, refusal) from refusal

    def block(self, tag: BlockTag = "latest") -> Block:
        """Return the head of a block.

        Raises:
            RpcError: see `request`; or there is no such block.
        """
        found = self.request("eth_getBlockByNumber", _tag(tag), False)  # noqa: FBT003 JSON-RPC is positional
        if found is None:
            raise RpcError(f"expected block {tag}, found none at {self.endpoint}", hint="is the node synced?")
        block = answers.block(found, "eth_getBlockByNumber")
        if isinstance(tag, int) and block.number != tag:
            raise answers.nonsense(f"block {tag}", block.number, "eth_getBlockByNumber")
        return block

    def height(self) -> int:
        """Return the height of the latest block."""
        return answers.quantity(self.request("eth_blockNumber"), "eth_blockNumber", 64)

    def now(self) -> int:
        """Return chain time in seconds: what the next transaction sees, as near as the node can tell."""
        return self.block(self.head).timestamp

    def has_block(self, number: int, block_hash: str) -> bool:
        """Say whether the block of this height on the canonical chain still has this hash."""
        return number <= self.height() and self.block(number).block_hash == block_hash.lower()

    def balance_wei(self, account: str) -> int:
        """Return an account's ether, in wei."""
        return answers.quantity(self.request("eth_getBalance", account, "latest"), "eth_getBalance")

    def nonce(self, account: str, tag: BlockTag = "pending") -> int:
        """Return the number of transactions that an account has sent up to a block."""
        count = self.request("eth_getTransactionCount", account, _tag(tag))
        return answers.quantity(count, "eth_getTransactionCount", 64)

    def code(self, account: str) -> bytes:
        """Return the code at an address; empty for an account without."""
        return answers.data(self.request("eth_getCode", account, "latest"), "eth_getCode")

    def code_hash(self, account: str) -> bytes:
        """Return keccak256 of the code at an address."""
        return keccak256(self.code(account))

    def call(
        self,
        target: str | None,
        data: bytes,
        *,
        what: str,
        sender: str | None = None,
        block: BlockTag = "latest",
        reverts: RevertDecoder = STANDARD_REVERTS,
    ) -> bytes:
        """Call a contract without a transaction.

        Args:
            target: address; None simulates a creation.
            data: calldata.
            what: what is called, for error messages, e.g. `JobManager.settle`.
            sender: msg.sender.
            block: state and time to run in.
            reverts: knows the errors that may come back.

        Returns:
            What it returned, not decoded.

        Raises:
            RevertedError: the contract refused; decoded.
            RpcError: see `request`.
        """
        fields = call_fields(target, data, sender)
        result = self.execute("eth_call", [fields, _tag(block)], what, reverts)
        return answers.data(result, f"eth_call of {what}")

    def execute(self, method: str, params: list[Any], what: str, reverts: RevertDecoder) -> Any:
        """Send a request that runs code, and decode its revert; see `call`."""
        try:
            return self._send(method, params)
        except NodeRefusal as refusal:
            data = refusal.revert_data
            if data is None:
                raise self.refused(f"{method} of {what}", refusal) from refusal
            raise reverts.error(data, what) from refusal

    def receipt(self, transaction: str) -> TransactionReceipt | None:
        """Return the receipt of a transaction, or None while it is not mined."""
        found = self.request("eth_getTransactionReceipt", transaction)
        return None if found is None else answers.receipt(found, transaction)

    def transaction(self, transaction: str) -> Transaction | None:
        """Return a transaction, or None when the node knows none of this hash."""
        found = self.request("eth_getTransactionByHash", transaction)
        return None if found is None else answers.transaction(found, transaction)

    def logs(
        self, address: str, topics: Sequence[bytes | None], *, from_block: int, to_block: int | None = None
    ) -> Iterator[Log]:
        """Yield a contract's logs, oldest first, a bounded range of blocks at a time.

        Args:
            address: the contract.
            topics: what each topic must be; None for any.
            from_block: first height.
            to_block: last height; the latest block's when None.

        Raises:
            RpcError: see `request`; or a log is of another contract, topic or block than asked for.
        """
        last = self.height() if to_block is None else to_block
        start, span, longest = from_block, LOG_RANGE_BLOCKS, LOG_RANGE_BLOCKS
        while start <= last:
            end = min(start + span - 1, last)
            try:
                found = self._logs_between(address, topics, start, end)
            except NodeRefusal as refusal:
                if span == 1 or refusal.code == _METHOD_NOT_FOUND:
                    raise self.refused("eth_getLogs", refusal) from refusal
                # Endpoints name their limits in a dozen ways; a smaller range answers all of them.
                span = longest = max(1, span // 8)
                continue
            except OversizedAnswer as fault:
                if start == end:
                    raise self._unreachable(f"eth_getLogs of block {start}", fault) from fault
                # Anybody can fill a range with logs, so it is halved, and no limit for the ranges after it.
                span = (end - start + 1) // 2
                continue
            yield from found
            start, span = end + 1, min(2 * span, longest)

    def refused(self, what: str, refusal: NodeRefusal) -> RpcError | InsufficientFundsError:
        """Return the error for a refusal of the node's."""
        if "insufficient funds" in refusal.message.lower():
            return InsufficientFundsError(
                f"expected enough ether for {what}, found too little on chain {self.chain_id}",
                hint="send ether to the account that signs",
            )
        unknown = refusal.code == _METHOD_NOT_FOUND
        return RpcError(
            f"expected {what} to be answered, found {refusal.message or 'an error without words'!r} "
            f"at {self.endpoint}",
            hint="this node does not offer that method" if unknown else "",
            rpc_code=refusal.code,
        )

    def send_once(self, method: str, params: list[Any]) -> Any:
        """Send a request that must not be repeated; raises as `request` does."""
        try:
            return self._once(method, params)
        except NodeRefusal as refusal:
            raise self.refused(method, refusal) from refusal
        except TransportFault as fault:
            raise self._unreachable(method, fault) from fault

    def _identify(self, expected: int | None) -> int:
        found = answers.quantity(self.request("eth_chainId"), "eth_chainId", 64)
        if expected not in (None, found):
            raise WrongChainError(
                f"expected chain {expected}, found chain {found} at {self.endpoint}",
                hint="correct --rpc-url or the configured chain id",
                expected=expected,
                found=found,
            )
        return found

    def _logs_between(
        self, address: str, topics: Sequence[bytes | None], start: int, end: int
    ) -> tuple[Log, ...]:
        query = {
            "address": address,
            "topics": [None if topic is None else "0x" + topic.hex() for topic in topics],
            "fromBlock": hex(start),
            "toBlock": hex(end),
        }
        answer = self._send("eth_getLogs", [query])
        if isinstance(answer, list) and len(answer) > answers.MAX_LOGS_PER_ANSWER:
            raise OversizedAnswer(f"more than {answers.MAX_LOGS_PER_ANSWER} logs")
        found = answers.logs(answer, "eth_getLogs")
        for log in found:
            fits = all(topic in (None, *log.topics[i : i + 1]) for i, topic in enumerate(topics))
            if not fits or log.address.lower() != address.lower() or not start <= log.block <= end:
                raise answers.nonsense("only the logs that were asked for", log, "eth_getLogs")
        return found

    def _send(self, method: str, params: list[Any]) -> Any:
        """Send a request, again if need be; an answer to `eth_getLogs` that is too large is the caller's."""
        try:
            return self._retrying(method, lambda: self._once(method, params))
        except OversizedAnswer as fault:
            if method == "eth_getLogs":
                raise
            raise self._unreachable(method, fault) from fault

    def _once(self, method: str, params: list[Any]) -> Any:
        return self._provider.request_result(method, params)

    def _retrying(self, method: str, attempt: Callable[[], Any]) -> Any:
        for number in range(self._attempts - 1):
            try:
                return attempt()
            except OversizedAnswer:
                raise
            except TransportFault:
                time.sleep(_BACKOFF_SECONDS * 2**number)
        try:
            return attempt()
        except OversizedAnswer:
            raise
        except TransportFault as fault:
            raise self._unreachable(method, fault) from fault

    def _unreachable(self, method: str, fault: TransportFault) -> RpcError:
        return RpcError(
            f"expected an answer to {method} from {self.endpoint}, found {fault}",
            hint="start a node (zkml chain up) or correct --rpc-url",
            endpoint=self.endpoint,
        )


def call_fields(target: str | None, data: bytes, sender: str | None) -> dict[str, str]:
    """Return the transaction object of eth_call and eth_estimateGas."""
    fields = {"data": "0x" + data.hex()}
    if target is not None:
        fields["to"] = target
    if sender is not None:
        fields["from"] = sender
    return fields


def _tag(tag: BlockTag) -> str:
    return hex(tag) if isinstance(tag, int) else tag
