"""A prover who claims a job and lies in six ways. The chain refuses each, and nothing moves.

The lies are sent as real transactions with gas enough, without asking a simulation first, as a cheat would.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from eth_account.signers.local import LocalAccount

from verifier_contracts.artifacts import load_artifact
from verifier_contracts.bindings import BoundContract
from zkml.adapters.evm import transactions
from zkml.core.field import R
from zkml.core.tensors import TensorLayout, instances_of, pack, unpack_input, unpack_output
from zkml.demo.balances import money_state
from zkml.demo.report import Attempt
from zkml.errors import RevertedError, RpcError, VerificationError, ZkmlError
from zkml.wiring import Market

CHEAT_GAS = 4_000_000


@dataclass(frozen=True, slots=True)
class Claimed:
    """A claimed job, with the true answer that the cheat knows.

    Attributes:
        job_id: 32 bytes.
        layout: of its circuit.
        packed_input: the job's input.
        packed_output: the true output.
        proof: a proof of both; settling with these three would be accepted.
        verifier: address of the contract that the adapter hands field elements to.
        borrowed: a proof of both for another payee, where proofs are bound to theirs; else empty.
    """

    job_id: bytes
    layout: TensorLayout
    packed_input: bytes
    packed_output: bytes
    proof: bytes
    verifier: str
    borrowed: bytes = b""


@dataclass(frozen=True, slots=True)
class Lie:
    """Arguments of `settle` of which one is false."""

    name: str
    packed_input: bytes
    packed_output: bytes
    proof: bytes


def lies_about(job: Claimed, other: Claimed) -> Iterator[Lie]:
    """Yield the lies that can be told to `settle`, each with all else true.

    Args:
        job: the claimed job.
        other: a settled job of another image, whose true proof is public.
    """
    output = list(unpack_output(job.layout, job.packed_output))
    output[0] += 1
    changed_output = pack(output, job.layout.output_bytes)
    inputs = list(unpack_input(job.layout, job.packed_input))
    inputs[0] = inputs[0] - 1 if inputs[0] else 1
    changed_input = pack(inputs, job.layout.input_bytes)
    noise = random.Random(0).randbytes(len(job.proof))  # noqa: S311  (noise, not a secret)
    yield Lie("a changed output", job.packed_input, changed_output, job.proof)
    yield Lie("a changed input", changed_input, job.packed_output, job.proof)
    yield Lie("a proof of another image", job.packed_input, other.packed_output, other.proof)
    yield Lie("a proof with trailing bytes", job.packed_input, job.packed_output, job.proof + bytes(32))
    yield Lie("a random proof", job.packed_input, job.packed_output, noise)
    if job.borrowed:
        yield Lie("a proof made for another prover", job.packed_input, job.packed_output, job.borrowed)


def attempt_all(
    market: Market, cheat: LocalAccount, accounts: dict[str, str], job: Claimed, other: Claimed
) -> tuple[Attempt, ...]:
    """Tell every lie and return how each was refused.

    Raises:
        VerificationError: a lie was accepted, moved something, or the truth would have been refused too.
        ChainError: a transaction could not be sent.
    """
    # Were the truth refused as well, refusing the lies would show nothing.
    market.manager.simulate_settle(cheat.address, job.job_id, job.packed_input, job.packed_output, job.proof)
    found = [_attempt(market, cheat, accounts, job, lie) for lie in lies_about(job, other)]
    # Where a verifier is handed field elements, one of them may be written in two ways.
    return tuple(found) if job.borrowed else (*found, _alias_an_instance(market, job))


def _attempt(
    market: Market, cheat: LocalAccount, accounts: dict[str, str], job: Claimed, lie: Lie
) -> Attempt:
    before = money_state(market, accounts, job.job_id)
    call = market.manager.contract.plan("settle", job.job_id, lie.packed_input, lie.packed_output, lie.proof)
    reason = _reason(market, cheat, job, lie)
    signed = transactions.sign(market.chain, cheat, call, gas=CHEAT_GAS)
    transactions.broadcast(market.chain, signed)
    try:
        transactions.wait(market.chain, signed, call=call)
    except RevertedError:
        pass
    else:
        raise VerificationError(
            f"expected the chain to refuse {lie.name}, found it settled in {signed.transaction}"
        )
    if money_state(market, accounts, job.job_id) != before:
        raise VerificationError(f"expected nothing to move after {lie.name}, found that something did")
    return Attempt(lie.name, "JobManager.settle", reason, signed.transaction)


def _reason(market: Market, cheat: LocalAccount, job: Claimed, lie: Lie) -> str:
    try:
        market.manager.simulate_settle(
            cheat.address, job.job_id, lie.packed_input, lie.packed_output, lie.proof
        )
    except RpcError:
        raise
    except ZkmlError as error:
        return _name_of(error)
    raise VerificationError(f"expected the chain to refuse {lie.name}, found that it would settle")


def _alias_an_instance(market: Market, job: Claimed) -> Attempt:
    """Call the bare verifier with an instance plus the field's order: the same residue, another number."""
    verifier = BoundContract(market.chain, load_artifact("IHalo2Verifier"), job.verifier)
    instances = instances_of(job.layout, job.packed_input, job.packed_output)
    if verifier.call("verifyProof", job.proof, instances) is not True:
        raise VerificationError(
            "expected the bare verifier to accept the true instances, found that it does not"
        )
    aliased = (instances[0] + R, *instances[1:])
    try:
        verifier.call("verifyProof", job.proof, aliased)
    except RevertedError as error:
        return Attempt("an instance plus the field modulus", "the bare verifier", _name_of(error), "")
    raise VerificationError("expected the bare verifier to refuse an aliased instance, found that it accepts")


def _name_of(error: ZkmlError) -> str:
    """Return the contract's error by name, and the one inside it that says why."""
    cause = error if "revert" in error.context else error.__cause__
    revert = cause.context.get("revert") if isinstance(cause, ZkmlError) else None
    if revert is None or not revert.name:
        return "reverted without data" if revert is not None else error.message
    inner = revert.innermost().name
    return revert.name if inner in ("", revert.name) else f"{revert.name}: {inner}"
