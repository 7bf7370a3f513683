"""Compute a circuit on packed inputs: a witness and its private file, or outputs alone."""

import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from circuits.bundle import Bundle
from circuits.octet import ref_exec
from circuits.octet.opened_network import OpenedNetwork, open_network
from circuits.octet.witness import Witness, make_witness
from circuits.octet.witness_file import read_witness, write_witness
from circuits.packed_input import quantize_samples
from circuits.port import WitnessResult
from zkml.adapters.process.memory import own_memory
from zkml.core.tensors import pack, unpack_input
from zkml.errors import BackendError, LayoutError, WitnessError


def witness_of(bundle: Bundle, packed_input: bytes, path: Path) -> WitnessResult:
    """Compute the circuit on a packed input and keep the witness at `path`.

    Raises:
        LayoutError: the packed input is of another length.
        DomainError: an element lies outside the circuit's domain.
        WitnessError: a value does not fit its limbs: a fault of the compiler, which proves that none can be.
        StorageError: no space for the witness.
        ArtifactError, CircuitError: see `open_network`.
    """
    started = time.monotonic()
    network = open_network(bundle)
    made = _computed(network, packed_input)
    output = _packed(network, made)
    program, circuit = network.settings.program, bundle.manifest.circuit
    write_witness(path, program, circuit, (packed_input, output), made.columns)
    return WitnessResult(packed_input, output, path, time.monotonic() - started, own_memory())


def witness_at(bundle: Bundle, packed_input: bytes, path: Path) -> WitnessResult:
    """Read back a witness that an earlier run kept.

    Raises:
        WitnessError: it is missing, corrupt, or of another circuit or input.
        LayoutError: the packed input is of another length.
        ArtifactError, CircuitError: see `open_network`.
    """
    network = open_network(bundle)
    layout = network.settings.port.layout
    unpack_input(layout, packed_input)
    (found, output), _ = read_witness(path, network.settings.program, bundle.manifest.circuit)
    if found != packed_input or len(output) != layout.output_length_bytes:
        raise WitnessError(
            "expected a witness of the given input, found one of another", hint="make the witness again"
        )
    return WitnessResult(packed_input, output, path, 0.0)


def check_witness(bundle: Bundle, witness: WitnessResult) -> None:
    """Check that a kept witness is the circuit's only one for its input: every column, every output.

    Raises:
        BackendError: it is another; names the first column.
        WitnessError, ArtifactError, CircuitError: see `witness_at`.
    """
    network = open_network(bundle)
    program = network.settings.program
    packed, columns = read_witness(witness.path, program, bundle.manifest.circuit)
    made = _computed(network, witness.input)
    if packed != (witness.input, witness.output) or _packed(network, made) != witness.output:
        raise BackendError(f"expected the circuit's output, found another in the witness at {witness.path}")
    for name in program.first_columns:
        if not np.array_equal(columns[name], made.columns[name]):
            raise BackendError(f"expected the circuit's values, found others in column {name} of the witness")


def outputs_of(bundle: Bundle, inputs: NDArray[np.generic]) -> NDArray[np.int64]:
    """Compute the circuit's integer outputs on many real inputs. Shape: (samples, output elements).

    Raises:
        LayoutError, DomainError: see `circuits.packed_input.quantize_samples`.
        ArtifactError, CircuitError: see `open_network`.
    """
    network = open_network(bundle)
    rows = []
    for elements in quantize_samples(bundle.manifest, inputs):
        given = network.settings.port.bytes_of(elements.tolist())
        run = ref_exec.execute_batch(network.lowered.graph, given, network.lowered.batch)
        rows.append(run.outputs[0].reshape(-1))
    return np.array(rows, dtype=np.int64).reshape(len(rows), bundle.manifest.layout.output_count)


def _computed(network: OpenedNetwork, packed_input: bytes) -> Witness:
    port = network.settings.port
    return make_witness(network.lowered, port.bytes_of(unpack_input(port.layout, packed_input)))


def _packed(network: OpenedNetwork, made: Witness) -> bytes:
    try:
        return pack(made.outputs, network.settings.port.layout.output_bytes)
    except LayoutError as error:
        raise WitnessError(f"{error.message} of the output") from error
