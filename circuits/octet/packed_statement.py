"""From packed tensors to the statement of a proof: one encoding, so one statement.

Source: octet.md 3.10 (seed), zkml/core/tensors.py (packing).
"""

import numpy as np

from circuits.octet.settings import CircuitSettings
from circuits.octet.spec.statement import Statement
from zkml.core.tensors import unpack_input, unpack_output


def statement_of(
    settings: CircuitSettings, packed_input: bytes, packed_output: bytes, context: bytes
) -> Statement:
    """Return the statement that a proof of (input, output) in a context is about.

    Args:
        settings: of the circuit.
        packed_input: as on chain.
        packed_output: as on chain.
        context: 32 bytes.

    Raises:
        LayoutError: a tensor is of another length.
        DomainError: an input element lies outside the circuit's domain.
    """
    port = settings.port
    given = port.bytes_of(unpack_input(port.layout, packed_input))[port.input_name]
    outputs = unpack_output(port.layout, packed_output)
    return Statement(given.astype(np.uint8).tobytes(), outputs, context)
