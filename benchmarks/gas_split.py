"""Where a settlement's gas goes, by its receipt and its tree of calls as a node's call tracer gives them.

Prices of a transaction: 21,000 and 4 or 16 gas for each zero or other byte of its data (EIP-2028). The floor
of EIP-7623 lies below what a settlement uses, so that it changes nothing; `split` refuses a transaction for
which it would.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

BASE = 21_000
ZERO_BYTE = 4
OTHER_BYTE = 16
FLOOR_OF_ZERO = 10
FLOOR_OF_OTHER = 40

PRECOMPILES = {5: "modexp", 6: "additions", 7: "multiplications", 8: "pairings"}
"""By address: what verifiers of pairings ask for (EIP-196, EIP-197, EIP-198)."""


@dataclass(frozen=True)
class Split:
    """The gas of one settlement. The parts from `base` to `verifier` add up to `total`.

    Attributes:
        total: as the receipt has it, after refunds.
        base: of every transaction.
        calldata: tensors, proof, and what frames them.
        settlement: market, ledger, registry: storage, logs, and how the router is called; less refunds.
        router: hash of the input, its domain, the adapter's code, how the adapter is called.
        verifier: adapter and all below it.
        precompiles: of `verifier`.
        calls: of precompiles, by name.
        data_bytes: length of the transaction's data.
        zero_bytes: of them those that are zero.
    """

    total: int
    base: int
    calldata: int
    settlement: int
    router: int
    verifier: int
    precompiles: int
    calls: Mapping[str, int]
    data_bytes: int
    zero_bytes: int


def calldata_gas(data: bytes) -> int:
    """Return what a transaction pays for its data."""
    zeros = data.count(0)
    return ZERO_BYTE * zeros + OTHER_BYTE * (len(data) - zeros)


def split(trace: Mapping[str, Any], *, gas_used: int, router: str) -> Split:
    """Split a settlement.

    Args:
        trace: of `debug_traceTransaction` with the tracer `callTracer`.
        gas_used: of the receipt.
        router: address of the verifier router.

    Raises:
        ValueError: no call of the router calls an adapter, more than one does, or the floor of EIP-7623
            decides what is paid.
    """
    asked = [call for call in _calls(trace) if _address(call) == int(router, 16) and call.get("calls")]
    if len(asked) != 1 or len(asked[0]["calls"]) != 1:
        raise ValueError(f"expected one call of the router that calls one adapter, found {len(asked)}")
    [adapter] = asked[0]["calls"]
    below = [call for call in _calls(adapter) if _address(call) in PRECOMPILES]
    data = bytes.fromhex(trace["input"].removeprefix("0x"))
    zeros = data.count(0)
    if gas_used <= BASE + FLOOR_OF_ZERO * zeros + FLOOR_OF_OTHER * (len(data) - zeros):
        raise ValueError(f"expected a transaction that uses more than its data's floor, found {gas_used} gas")
    whole = _gas(asked[0])
    return Split(
        total=gas_used,
        base=BASE,
        calldata=calldata_gas(data),
        settlement=gas_used - BASE - calldata_gas(data) - whole,
        router=whole - _gas(adapter),
        verifier=_gas(adapter),
        precompiles=sum(_gas(call) for call in below),
        calls={name: sum(_address(call) == at for call in below) for at, name in PRECOMPILES.items()},
        data_bytes=len(data),
        zero_bytes=zeros,
    )


def _calls(call: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield a call and all below it."""
    yield call
    below: Sequence[Mapping[str, Any]] = call.get("calls", ())
    for each in below:
        yield from _calls(each)


def _address(call: Mapping[str, Any]) -> int:
    return int(call["to"], 16)


def _gas(call: Mapping[str, Any]) -> int:
    return int(call["gasUsed"], 16)
