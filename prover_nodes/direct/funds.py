"""Whether the prover's account can pay for the gas of what it answers for: else it could not collect."""

from prover_nodes.direct.fees import gas_of_request
from prover_nodes.direct.parts import DirectParts
from zkml.core.identifiers import CircuitSpec
from zkml.errors import ServiceBusyError


def check_funds(parts: DirectParts, spec: CircuitSpec, *, requests: int) -> None:
    """Check that the account has the ether to settle some requests of a circuit.

    Raises:
        ServiceBusyError: it has not.
        RpcError: the endpoint does not answer.
    """
    needed = requests * gas_of_request(spec) * parts.market.gas_price_wei()
    found = parts.market.ether_wei()
    if found < needed:
        raise ServiceBusyError(
            f"expected {needed} wei to settle {requests} requests, found {found} in {parts.market.account}",
            hint="ask another node: this one's operator has to send ether to its account",
        )
