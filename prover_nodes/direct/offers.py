"""What the node offers: the price of one inference now, what it is checked by, and how long it takes."""

from prover_nodes.direct.catalogue import ServedCircuit
from prover_nodes.direct.parts import DirectParts
from zkml.core.api_messages import ModelOffer, Offer
from zkml.core.pricing import least_model_fee
from zkml.core.records import to_hex
from zkml.core.verifier_classes import class_name

OFFER_SECONDS = 30.0
"""What a client may take from reading an offer to sending its request."""


class Offers:
    """Makes offers; called from the threads of the API."""

    def __init__(self, parts: DirectParts) -> None:
        """Use the parts of a service."""
        self._parts = parts

    def offer(self, did: str, circuit_id: bytes | None = None) -> ModelOffer:
        """Return what one inference of a model costs now, and how it is checked.

        Raises:
            NotRegisteredError: this node does not answer for the model.
            UnsuitableCircuitError: nor for this circuit of it.
            RpcError: the endpoint does not answer.
        """
        parts = self._parts
        model = parts.catalogue.find(did)
        served = model.circuit(circuit_id)
        quote, prover_fee = parts.market.quote(model.model_id), self.ask(served)
        seconds = self.seconds(served)
        expected = parts.admission.slots.seconds_until_free() + seconds
        return ModelOffer(
            did=model.did,
            name=model.name,
            offer=Offer(
                manager=parts.market.manager,
                model_id=str(model.model_id),
                circuit_id=to_hex(served.circuit_id),
                verifying_key=to_hex(served.spec.verifying_key_digest),
                verifier_class=class_name(served.spec.verifier_class),
                model_fee=str(least_model_fee(quote, prover_fee)),
                prover_fee=str(prover_fee),
                flat_fee=str(quote.flat_fee),
                input_bytes=served.spec.layout.input_length_bytes,
                expected_seconds=expected if served.circuit.expected_prove_seconds() else None,
                least_expiry_seconds=expected + parts.api.settle_margin_seconds + OFFER_SECONDS,
                manifest=model.manifest_cid,
            ),
        )

    def ask(self, served: ServedCircuit) -> int:
        """Return the prover's fee to ask now; raises RpcError."""
        fees = self._parts.fees
        price = self._parts.market.gas_price_wei() if fees.needs_gas_price else 0
        seconds = self.seconds(served)
        return fees.ask(served.circuit_id, gas=served.settle_gas, seconds=seconds, gas_price_wei=price)

    def seconds(self, served: ServedCircuit) -> float:
        """Return how long one proof should take."""
        return self._parts.admission.predicted_seconds(served.circuit)
