"""The zoo's models keep their answers as integers: measured on what neither training nor calibration saw."""

import numpy as np
import pytest

from circuits.float_model import float_outputs
from circuits.octet import ref_exec
from circuits.octet.compile.front import compile_network
from circuits.zoo.digits import train as digits
from circuits.zoo.digits.model import example_input as digits_input
from circuits.zoo.options import train as options
from circuits.zoo.options.law import calibration_contracts
from circuits.zoo.options.model import example_input as options_input
from zkml.core.fixed_point import quantize
from zkml.export.torch_module import export_module

pytest.importorskip("sklearn")


def integer_outputs(network, inputs):
    """Return what the integer network publishes for real inputs, as reals. Shape: (samples, elements)."""
    port, found = network.port, []
    for sample in inputs:
        elements = [int(value) for value in quantize(sample.ravel(), port.input_scale_bits)]
        run = ref_exec.execute(network.lowered.graph, port.bytes_of(elements))
        found.append(np.concatenate([values.ravel() for values in run.outputs]))
    return np.array(found) * 2.0**-port.output_scale_bits


def compiled(module, example, folder, calibration, domain):
    """Return the ONNX bytes of a module and its integer network."""
    data = export_module(module, example, folder / "model.onnx", name="zoo", system="octet").data
    return data, compile_network(data, calibration, domain=domain)


def test_zoo_digits__held_out_images__keep_their_digit(tmp_path):
    """Of 360 images at most one has another digit, and no score moves by 1 % of their range."""
    trained = digits.train()
    data, network = compiled(trained.module, digits_input(), tmp_path, trained.train_inputs[:, None], (0, 1))
    images = trained.test_inputs[:, None]
    found = integer_outputs(network, images)
    wanted = np.asarray(float_outputs(data, images)).reshape(found.shape)
    assert (found.argmax(1) == wanted.argmax(1)).mean() >= 0.997
    assert np.abs(found - wanted).max() < 0.01 * np.ptp(wanted)


def test_zoo_options__held_out_contracts__keep_their_price(tmp_path, monkeypatch):
    """Of 256 prices none moves by 1 % of the greatest, and the mean error is below a tenth of a percent."""
    monkeypatch.setattr(options, "EPOCHS", 4)  # a rough fit rounds like a fine one
    monkeypatch.setattr(options, "GREATEST_MEAN_ERROR", 0.01)
    trained = options.train()
    inputs = calibration_contracts()
    data, network = compiled(trained.module, options_input(), tmp_path, inputs, (0, 255 / 256))
    contracts = trained.contracts.test_inputs[:256].reshape(-1, 1, 4)
    found = integer_outputs(network, contracts)
    wanted = np.asarray(float_outputs(data, contracts)).reshape(found.shape)
    assert network.port.input_scale_bits == 8  # a byte holds each input exactly
    errors = np.abs(found - wanted)
    assert errors.max() < 0.01 * np.abs(wanted).max()
    assert errors.mean() < 0.001
