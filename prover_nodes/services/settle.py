"""Settle: make the checked proof public, in the one transaction that pays for it."""

from prover_nodes.journal import Case, Purpose
from prover_nodes.outbox import Outbox
from prover_nodes.ports import Market
from zkml.core.records import ClaimRecord, ProofRecord, SettlementRecord, WitnessRecord, from_hex
from zkml.errors import NotFinalError


def settle_claim(
    case: Case,
    witness: WitnessRecord,
    claim: ClaimRecord,
    proof: ProofRecord,
    *,
    market: Market,
    outbox: Outbox,
) -> SettlementRecord:
    """Settle a claimed job once its claim is deep enough, and wait until the settlement is, too.

    A reorg must not unbind the payee of a proof that everybody can read.

    Raises:
        NotFinalError: claim or settlement are not deep enough yet.
        MarketError: the job cannot be settled any more.
        ChainError: see `Outbox.deliver`.
    """
    outbox.confirm(claim.transaction, "the claim")
    call = market.plan_settle(
        from_hex(case.request.job_id),
        from_hex(witness.input),
        from_hex(witness.output),
        from_hex(proof.proof),
    )
    delivered = outbox.deliver(case, Purpose.SETTLE, call)
    return _confirmed(case, proof, delivered.transaction, market, outbox)


def find_settlement(case: Case, proof: ProofRecord, market: Market, outbox: Outbox) -> SettlementRecord:
    """Return the settlement that an earlier run of this node made and could not file.

    Raises:
        NotFinalError: it is not deep enough yet.
        ChainError: the endpoint does not answer.
    """
    receipt = outbox.find(case, Purpose.SETTLE)
    if receipt is not None:
        return _confirmed(case, proof, receipt.transaction, market, outbox)
    found = market.settlement_of(from_hex(case.request.job_id))
    if found is None:
        raise NotFinalError(f"expected the settlement of job {case.request.job_id}, found no event of it yet")
    return _confirmed(case, proof, found.transaction, market, outbox)


def _confirmed(
    case: Case, proof: ProofRecord, transaction: str, market: Market, outbox: Outbox
) -> SettlementRecord:
    facts = market.facts(from_hex(case.request.job_id))
    receipt = outbox.confirm(transaction, "the settlement")
    return SettlementRecord(
        proof_record=proof.own_digest,
        transaction=receipt.transaction,
        block=receipt.block,
        gas_used=receipt.gas_used,
        prover_fee=str(facts.payment.prover_fee),
    )
