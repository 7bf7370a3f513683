"""Compile an ONNX model into a bundle: check what is asked for, calibrate the model, build its bundle."""

import numpy as np

from circuits.bundle import Bundle
from circuits.octet.build_bundle import CompileOptions, Network, Order, build_bundle
from circuits.octet.compile.front import compile_network
from circuits.port import CompileRequest
from circuits.stages import run_stage
from zkml.core.fixed_point import quantize
from zkml.core.tensors import pack
from zkml.errors import ArtifactNotFoundError, CalibrationError, UnsuitableCircuitError


def compile_bundle(request: CompileRequest, options: CompileOptions) -> Bundle:
    """Compile a model; see `circuits.port.ProofSystem.compile`."""
    _check_request(request)
    first = np.asarray(request.calibration)[0]

    def make(onnx: bytes) -> Network:
        with run_stage(options.progress, "calibrate"):
            found = compile_network(onnx, request.calibration, domain=request.domain, budget=request.budget)
        port = found.port
        integers = quantize(first, port.input_scale_bits).ravel()
        port.domain.check(integers)
        sample = pack(integers, port.layout.input_bytes)
        return Network(found.lowered, port, found.recipe, found.fidelity, sample)

    order = Order(request.name, request.onnx, request.target, request.srs, request.allow_insecure_srs)
    return build_bundle(order, options, make)


def _check_request(request: CompileRequest) -> None:
    for name, expected, found in (
        ("input_visibility", "public", request.input_visibility),
        ("output_visibility", "public", request.output_visibility),
        ("weights", "fixed", request.weights),
    ):
        if found != expected:
            raise UnsuitableCircuitError(
                f"expected {name} {expected}, found {found}",
                hint="compile with --system ezkl: octet keeps weights in the verifying key"
                if name == "weights"
                else "nobody pays for a proof of private tensors",
            )
    if not request.onnx.is_file():
        raise ArtifactNotFoundError(f"expected an ONNX file, found none at {request.onnx}")
    samples = np.asarray(request.calibration)
    if samples.ndim < 2 or samples.size == 0 or not np.issubdtype(samples.dtype, np.number):
        raise CalibrationError(
            f"expected calibration data of shape (samples, ...), found {samples.shape} of {samples.dtype}"
        )
