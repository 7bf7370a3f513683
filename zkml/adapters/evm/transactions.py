"""Send a transaction: simulate, sign, hand over, broadcast, wait, check.

The signed transaction is handed to the caller before it leaves this machine, so that a journal can keep
it: sending the same bytes again is harmless, and its hash tells for ever what became of it.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from eth_account.signers.local import LocalAccount

from zkml.adapters.evm import answers
from zkml.adapters.evm.answers import TransactionReceipt
from zkml.adapters.evm.gas import MAX_TRANSACTION_GAS, estimate_gas, fee_fields, most_per_gas_wei
from zkml.adapters.evm.reverts import STANDARD_REVERTS, RevertDecoder
from zkml.adapters.evm.rpc import Chain, call_fields
from zkml.errors import (
    ChainError,
    InsufficientFundsError,
    RevertedError,
    RpcError,
    TransactionTimeoutError,
)

_FIRST_POLL_SECONDS = 0.01
_LAST_POLL_SECONDS = 1.0
_NONCE_ATTEMPTS = 3
_VOID_CHECK_SECONDS = (0.05, 0.2, 0.5, 1.0)
"""Pauses between looks for a receipt, once a nonce is spent."""


@dataclass(frozen=True, slots=True)
class Call:
    """What a transaction does, before anybody signs it.

    Attributes:
        target: checksummed address; None creates a contract.
        data: calldata, or creation code.
        what: for people, e.g. `JobManager.settle`.
        arguments: decoded, for people.
        reverts: knows the errors that the contract may raise.
        value_wei: ether to send along.
        spare_gas: besides what a node estimates: for what costs more in a later second than in the head's.
    """

    target: str | None
    data: bytes
    what: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    reverts: RevertDecoder = STANDARD_REVERTS
    value_wei: int = 0
    spare_gas: int = 0


@dataclass(frozen=True, slots=True)
class DryRun:
    """What a transaction would do and cost, without sending it."""

    target: str | None
    calldata: bytes
    gas: int
    max_cost_wei: int
    function: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SignedTransaction:
    """A transaction that anybody may broadcast, any number of times.

    Attributes:
        transaction: its hash, 0x and 64 digits.
        raw: its bytes.
        sender: checksummed address.
        nonce: the sender's; at most one transaction with it is ever mined.
        what: for people, e.g. `JobManager.settle`.
    """

    transaction: str
    raw: bytes
    sender: str
    nonce: int
    what: str


OnSigned = Callable[[SignedTransaction], None]


def ignore_signed(signed: SignedTransaction) -> None:
    """Keep nothing: the default of who needs no journal."""


def simulate(chain: Chain, call: Call, sender: str) -> bytes:
    """Run a call at the head of the chain without sending it, and return what it returned.

    Raises:
        RevertedError: the contract would refuse; decoded.
        RpcError: see `Chain.request`.
    """
    return chain.call(
        call.target, call.data, what=call.what, sender=sender, block=chain.head, reverts=call.reverts
    )


def dry_run(chain: Chain, call: Call, sender: str) -> DryRun:
    """Simulate a call and say what it would cost; raises as `simulate` does."""
    simulate(chain, call, sender)
    gas = _estimate(chain, call, sender)
    price_wei = most_per_gas_wei(fee_fields(chain))
    return DryRun(call.target, call.data, gas, gas * price_wei, call.what, call.arguments)


def _estimate(chain: Chain, call: Call, sender: str) -> int:
    fields = call_fields(call.target, call.data, sender)
    found = estimate_gas(chain, fields, call.what, call.reverts)
    return min(found + call.spare_gas, MAX_TRANSACTION_GAS)


def sign(
    chain: Chain,
    account: LocalAccount,
    call: Call,
    *,
    gas: int | None = None,
    nonce: int | None = None,
    fees: Mapping[str, int] | None = None,
) -> SignedTransaction:
    """Simulate a call and sign the transaction that makes it.

    Args:
        chain: where it will be sent.
        account: who pays for gas.
        call: what it does.
        gas: its limit, without a simulation before: for who wants to see the chain itself refuse.
        nonce: of the sender; the next one when None.
        fees: fee fields; those of `fee_fields` when None.

    Raises:
        RevertedError: the contract would refuse; nothing is signed.
        InsufficientFundsError: the sender cannot pay for gas.
        ChainError: gas costs more than the chain's `max_fee_gwei`.
        RpcError: see `Chain.request`.
    """
    if gas is None:
        simulate(chain, call, account.address)
        gas = _estimate(chain, call, account.address)
    fields: dict[str, Any] = {
        "chainId": chain.chain_id,
        "nonce": chain.nonce(account.address) if nonce is None else nonce,
        "value": call.value_wei,
        "data": call.data,
        "gas": gas,
        **(fee_fields(chain) if fees is None else fees),
    }
    if call.target is not None:
        fields["to"] = call.target
    signed = account.sign_transaction(fields)
    return SignedTransaction(
        transaction="0x" + bytes(signed.hash).hex(),
        raw=bytes(signed.raw_transaction),
        sender=account.address,
        nonce=fields["nonce"],
        what=call.what,
    )


def broadcast(chain: Chain, signed: SignedTransaction) -> None:
    """Give a signed transaction to the node; doing it again changes nothing.

    Raises:
        InsufficientFundsError: the sender cannot pay for gas.
        ChainError: another transaction of the sender has taken its nonce; this one is void for ever.
        RpcError: see `Chain.request`; or the node refuses it.
    """
    try:
        found = chain.request("eth_sendRawTransaction", "0x" + signed.raw.hex())
    except ChainError:
        # Whatever words the node uses for "I have it already": what counts is whether it does.
        if chain.transaction(signed.transaction) is not None:
            return
        if is_void(chain, signed):
            raise _void(signed) from None
        raise
    if answers.hash_text(found, "eth_sendRawTransaction") != signed.transaction:
        raise answers.nonsense(f"hash {signed.transaction}", found, "eth_sendRawTransaction")


def resume(chain: Chain, signed: SignedTransaction) -> TransactionReceipt:
    """Go on with a transaction that a journal kept: broadcast it again if need be, and wait; see both."""
    if chain.receipt(signed.transaction) is None:
        broadcast(chain, signed)
    return wait(chain, signed)


def is_void(chain: Chain, signed: SignedTransaction) -> bool:
    """Say whether a signed transaction can never be mined: its nonce went to another one.

    Who believes it too early sends another one for the same purpose. So the nonce must be spent as deep as
    a transaction must be to count; a transaction that the node knows by its hash is not void; and since
    nodes raise a nonce before they have the receipt of what raised it, a spent nonce without a receipt is
    looked at again.

    Raises:
        RpcError: see `Chain.request`.
    """
    settled = max(0, chain.height() - chain.confirmations) if chain.confirmations else "latest"
    if chain.nonce(signed.sender, settled) <= signed.nonce:
        return False
    for pause in (*_VOID_CHECK_SECONDS, 0.0):
        if chain.receipt(signed.transaction) is not None or chain.transaction(signed.transaction) is not None:
            return False
        time.sleep(pause)
    return True


def wait(
    chain: Chain,
    signed: SignedTransaction,
    *,
    call: Call | None = None,
) -> TransactionReceipt:
    """Wait until a transaction is mined and has the chain's confirmations, and check that it succeeded.

    Args:
        chain: where it was sent.
        signed: what was sent.
        call: what it does; lets a revert be explained.

    Returns:
        Its receipt, from a block that is still on the canonical chain.

    Raises:
        RevertedError: it was mined and reverted.
        TransactionTimeoutError: it was not mined, or not confirmed, in time; carries its hash.
        ChainError: another transaction of the sender has taken its nonce.
        RpcError: see `Chain.request`.
    """
    timeout_seconds = chain.receipt_timeout_seconds
    deadline = time.monotonic() + timeout_seconds
    pause = _FIRST_POLL_SECONDS
    while True:
        receipt = chain.receipt(signed.transaction)
        if receipt is not None and _is_confirmed(chain, receipt):
            break
        if receipt is None and is_void(chain, signed):
            raise _void(signed)
        if time.monotonic() >= deadline:
            raise TransactionTimeoutError(
                f"expected {signed.what} to be mined within {timeout_seconds:g} s, "
                f"found transaction {signed.transaction} still waiting",
                hint="look at it later under this hash; do not send another one for the same purpose",
                transaction=signed.transaction,
            )
        time.sleep(pause)
        pause = min(_LAST_POLL_SECONDS, pause * 1.5)
    if not receipt.succeeded:
        raise _explain_revert(chain, receipt, signed, call)
    return receipt


def send(
    chain: Chain,
    account: LocalAccount,
    call: Call,
    *,
    gas: int | None = None,
    on_signed: OnSigned = ignore_signed,
) -> TransactionReceipt:
    """Simulate, sign once, hand over, broadcast, wait and check.

    Whoever shares the chain's sending lock waits from the reading of the nonce to the broadcast. When
    somebody else takes the sender's nonce in between, this fails and nothing is signed again: who calls
    knows whether doing it twice would do harm. `send_repeatable` is for what does none.

    Args:
        chain: where to send it.
        account: who pays for gas.
        call: what to do.
        gas: its limit, without a simulation before: for what the endpoint must not see unsigned.
        on_signed: called with the signed transaction before it leaves this machine.

    Raises:
        RevertedError: the contract refuses, before or after it was sent.
        InsufficientFundsError: the sender cannot pay for gas.
        TransactionTimeoutError: not mined in time; carries its hash.
        ChainError: another transaction of the sender has taken its nonce; `void` is in the context.
        RpcError: see `Chain.request`.
        HomeLockedError: another process sends for this account, and does not end.
    """
    with chain.sending_lock.hold(chain.chain_id, account.address):
        fees = None if gas is None else _affordable(chain, account, gas)
        signed = sign(chain, account, call, gas=gas, fees=fees)
        on_signed(signed)
        broadcast(chain, signed)
    return wait(chain, signed, call=call)


def _affordable(chain: Chain, account: LocalAccount, gas: int) -> dict[str, int]:
    """Return the fee fields of a transaction that nobody simulates, if its sender can pay for it."""
    fees, found = fee_fields(chain), chain.balance_wei(account.address)
    needed = gas * most_per_gas_wei(fees)
    if found < needed:
        raise InsufficientFundsError(
            f"expected {needed} wei of {account.address} for gas, found {found}",
            hint="send ether to the account that signs; what is not used is not paid",
        )
    return fees


def send_repeatable(
    chain: Chain,
    account: LocalAccount,
    call: Call,
    *,
    on_signed: OnSigned = ignore_signed,
) -> TransactionReceipt:
    """Send a call that may be made twice without harm, e.g. an approval; takes and raises what `send` does.

    A transaction whose nonce another process took is replaced by a new one, which is handed over, too.
    """
    for _ in range(_NONCE_ATTEMPTS - 1):
        try:
            return send(chain, account, call, on_signed=on_signed)
        except ChainError as error:
            if not error.context.get("void"):
                raise
    return send(chain, account, call, on_signed=on_signed)


def _is_confirmed(chain: Chain, receipt: TransactionReceipt) -> bool:
    if chain.confirmations == 0:
        return True
    deep = chain.height() >= receipt.block + chain.confirmations
    return deep and chain.has_block(receipt.block, receipt.block_hash)


def _void(signed: SignedTransaction) -> ChainError:
    return ChainError(
        f"expected nonce {signed.nonce} of {signed.sender} to be free for {signed.what}, "
        f"found it used by another transaction than {signed.transaction}",
        hint="another process uses the same key: give each its own",
        transaction=signed.transaction,
        void=True,
    )


def _explain_revert(
    chain: Chain, receipt: TransactionReceipt, signed: SignedTransaction, call: Call | None
) -> RevertedError:
    """Replay a reverted transaction to learn its reason; a node without the old state knows none."""
    for block in (receipt.block - 1, receipt.block):
        if call is None:
            break
        try:
            chain.call(
                call.target,
                call.data,
                what=call.what,
                sender=signed.sender,
                block=block,
                reverts=call.reverts,
            )
        except RevertedError as error:
            error.context["transaction"] = signed.transaction
            return error
        except RpcError:
            break
    return RevertedError(
        f"expected {signed.what} to succeed, found that transaction {signed.transaction} reverted after "
        f"{receipt.gas_used} gas for a reason the node no longer knows",
        transaction=signed.transaction,
    )
