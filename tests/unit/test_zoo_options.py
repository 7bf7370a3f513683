"""The option pricer: the law, its contracts, the accuracy, and the same weights every time."""

import math

import numpy as np
import pytest
import torch
from zoo_training import train_seen

from circuits.zoo.options import train as training
from circuits.zoo.options.law import STEPS, calibration_contracts, call_price, load_contracts
from circuits.zoo.options.model import INPUT_SHAPE, example_input, option_pricer
from zkml.errors import ModelError


@pytest.fixture(scope="module")
def trained():
    """Train once; see `train_seen`."""
    return train_seen(training)


def numbers_of(spot, years, volatility, rate):
    """Return a contract's four numbers, the inverse of the law's scaling."""
    return np.array([[spot - 0.5, years / 2 - 1 / STEPS, (volatility - 0.05) / 0.75, rate / 0.1]])


def test_law__price_of_a_textbook__is_found():
    """Hull's example: spot 42, strike 40, 10 %, 20 % a year, half a year: a call is worth 4.76."""
    assert 40 * call_price(numbers_of(42 / 40, 0.5, 0.2, 0.1))[0] == pytest.approx(4.76, abs=0.005)


def test_law__integral_over_the_lognormal_law__is_the_price():
    """The closed form is the discounted mean of what the call pays at expiry."""
    rng = np.random.default_rng(1)
    for numbers in rng.uniform(0.05, 0.95, (5, 4)):
        spot, years = 0.5 + numbers[0], 2 * (numbers[1] + 1 / STEPS)
        volatility, rate = 0.05 + 0.75 * numbers[2], 0.1 * numbers[3]
        z = np.linspace(-10, 10, 400_001)
        density = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
        end = spot * np.exp((rate - volatility**2 / 2) * years + volatility * math.sqrt(years) * z)
        mean = np.trapezoid(np.maximum(end - 1, 0) * density, z)
        assert call_price(numbers[np.newaxis])[0] == pytest.approx(math.exp(-rate * years) * mean, abs=1e-6)


def test_contracts__every_number__is_one_a_byte_holds():
    """Inputs are multiples of 1/256 below 1, so that rounding a circuit's input loses nothing."""
    contracts = load_contracts()
    for inputs, prices in (
        (contracts.train_inputs, contracts.train_prices),
        (contracts.test_inputs, contracts.test_prices),
    ):
        steps = inputs * STEPS
        assert (steps == np.rint(steps)).all()
        assert steps.min() == 0
        assert steps.max() == STEPS - 1
        assert prices.shape == (len(inputs), 1)
        assert prices.min() >= 0
        assert prices.max() < 0.87
    assert (calibration_contracts()[:, 0] == contracts.train_inputs[:1024]).all()


def test_train__seed_0__passes_the_bar_with_a_margin(trained):
    """The mean error is half of what is allowed, and it is the module's own on the held-out contracts."""
    result, _, _ = trained
    assert result.mean_error <= 0.002
    held_out = result.contracts.test_inputs, result.contracts.test_prices
    assert training.errors_of(result.module, *held_out).max() == np.float32(result.max_error)
    assert not result.module.training


def test_train__global_state_and_progress__are_as_they_should_be(trained):
    """Torch's generator and number of threads are as before; the last of the epochs says that it is."""
    _, events, is_as_before = trained
    assert is_as_before
    assert [event.finished for event in events] == [False] * (training.EPOCHS - 1) + [True]


def test_train__few_contracts_again__gives_the_same_weights(monkeypatch):
    """One seed, one set of weights, whatever was drawn from torch's generator in between."""
    monkeypatch.setattr(training, "EPOCHS", 2)
    monkeypatch.setattr(training, "GREATEST_MEAN_ERROR", 1.0)
    first = training.train(seed=0).module
    torch.rand(3)
    again = training.train(seed=0).module
    for left, right in zip(first.parameters(), again.parameters(), strict=True):
        assert torch.equal(left, right)


def test_train__too_few_epochs__is_refused(monkeypatch):
    """A pricer above the bar is an error with its mean error, not a bad model."""
    monkeypatch.setattr(training, "EPOCHS", 1)
    monkeypatch.setattr(training, "LEARNING_RATE", 1e-5)
    with pytest.raises(ModelError, match=r"at most 0\.003, found 0\.") as caught:
        training.train(seed=0)
    assert caught.value.context["mean_error"] > 0.003


def test_pricer__shapes_and_widths__are_what_is_asked_for():
    """One contract in, one price out; 4,545 parameters, or about 100,000 for benchmarks."""
    module = option_pricer()
    assert example_input().shape == INPUT_SHAPE
    assert module(example_input()).shape == (1, 1)
    assert sum(parameter.numel() for parameter in module.parameters()) == 4545
    wide = option_pricer((256, 256, 128))
    assert sum(parameter.numel() for parameter in wide.parameters()) == 100_097
