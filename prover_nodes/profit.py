"""Profit: what a job earns, less the gas of its transactions and the time of its proof."""

from dataclasses import dataclass

from prover_nodes.policy import Policy, Skip, SkipCode
from zkml.core.tensors import TensorLayout

CLAIM_GAS = 105_000
RECLAIM_GAS = 104_000
SETTLE_GAS = 100_000
"""What a settlement uses beside verification and calldata, between accounts that were paid before."""
TAKEOVER_GAS = 55_000
"""What a settlement uses more when it forfeits the collateral of the claimer before."""
BYTE_CALLDATA_GAS = 16
"""Of a proof, in which a zero byte is rare."""
ELEMENT_CALLDATA_GAS = 20
WEI_PER_ETHER = 10**18
LOOK_AGAIN_SECONDS = 60
"""The price of gas changes: what it made too dear is looked at again after this many seconds."""


@dataclass(frozen=True, slots=True)
class Costs:
    """What a job will cost the prover; amounts in the payment token's smallest unit, rounded up.

    Attributes:
        gas: of claim and settlement together.
        gas_amount: what that gas costs; 0 where the policy leaves gas out.
        seconds: of proving.
        work_amount: what that time costs.
    """

    gas: int
    gas_amount: int
    seconds: float
    work_amount: int

    @property
    def amount(self) -> int:
        """Everything together."""
        return self.gas_amount + self.work_amount


def gas_of_settlement(layout: TensorLayout, verify_gas: int, proof_bytes: int) -> int:
    """Estimate the gas of settling one job or signed request.

    Args:
        layout: of the circuit's public tensors.
        verify_gas: of one verification.
        proof_bytes: length of a proof.
    """
    elements = layout.input_count + layout.output_count
    return SETTLE_GAS + proof_bytes * BYTE_CALLDATA_GAS + verify_gas + elements * ELEMENT_CALLDATA_GAS


def gas_of_job(layout: TensorLayout, verify_gas: int, proof_bytes: int, *, is_takeover: bool = False) -> int:
    """Estimate the gas of claiming and settling a job.

    Args:
        layout: of the circuit's public tensors.
        verify_gas: of one verification.
        proof_bytes: length of a proof.
        is_takeover: whether a late claim would be taken over.
    """
    settle = gas_of_settlement(layout, verify_gas, proof_bytes)
    return settle + (RECLAIM_GAS + TAKEOVER_GAS if is_takeover else CLAIM_GAS)


def costs_of(policy: Policy, *, gas: int, gas_price_wei: int, seconds: float) -> Costs:
    """Put prices on gas and time.

    Args:
        policy: what an hour and an ether are worth.
        gas: of all transactions of the job.
        gas_price_wei: what one gas costs now.
        seconds: how long the proof should take.
    """
    gas_amount = -(-gas * gas_price_wei * policy.units_per_ether // WEI_PER_ETHER)
    milliseconds = round(1000 * seconds)
    return Costs(gas, gas_amount, seconds, -(-milliseconds * policy.cost_per_hour // 3_600_000))


def evaluate_profit(income: int, costs: Costs, *, now: int, reached_at: int | None = None) -> Skip | None:
    """Decide whether a job earns what it costs.

    Args:
        income: fee, and bonus where there is one.
        costs: of the job.
        now: chain time in seconds.
        reached_at: chain time at which a rising offer will pay for the costs, where that is known.
    """
    if income >= costs.amount:
        return None
    parts = [f"{costs.gas_amount} for {costs.gas} gas"] if costs.gas_amount else []
    parts += [f"{costs.work_amount} for {costs.seconds:.1f} s of proving"] if costs.work_amount else []
    again = reached_at
    if costs.gas_amount:
        again = min(reached_at or now + LOOK_AGAIN_SECONDS, now + LOOK_AGAIN_SECONDS)
    return Skip(
        SkipCode.FEE_TOO_LOW, f"{income} offered, it costs {' and '.join(parts)}", look_again_at=again
    )
