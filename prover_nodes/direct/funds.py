"""Whether the prover's account can pay for the gas of what it answers for: else it could not collect."""

from prover_nodes.direct.parts import DirectParts
from zkml.errors import ServiceBusyError


def check_funds(parts: DirectParts, settle_gas: int, *, requests: int) -> None:
    """Check that the account has the ether to settle some requests of this gas.

    Raises:
        ServiceBusyError: it has not.
        RpcError: the endpoint does not answer.
    """
    needed = requests * settle_gas * parts.market.gas_price_wei()
    found = parts.market.ether_wei()
    if found < needed:
        raise ServiceBusyError(
            f"expected {needed} wei to settle {requests} requests, found {found} in {parts.market.account}",
            hint="ask another node: this one's operator has to send ether to its account",
        )
