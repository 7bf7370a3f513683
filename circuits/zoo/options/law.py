"""The law that the pricer learns: the Black-Scholes price of a European call, on a grid of contracts.

Each of the four numbers of a contract is a multiple of 1/256 in [0, 1), so that a byte holds it exactly and
no price is lost where a circuit rounds its input.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

STEPS = 256
"""Values that each number of a contract may take."""

CONTRACTS = 65_536
"""Contracts to train with."""

TEST_CONTRACTS = 8_192
"""Contracts held out."""

CALIBRATION_CONTRACTS = 1_024
"""Contracts to calibrate a circuit with; none is held out."""

_SEED = 0  # independent of the training seed: the held-out contracts are always the same
_ERF = np.vectorize(math.erf, otypes=[np.float64])


@dataclass(frozen=True, slots=True)
class Contracts:
    """Contracts and their prices, a part held out from training.

    Attributes:
        train_inputs: float32 multiples of 1/256 in [0, 1). Shape: (65536, 4).
        train_prices: prices in units of the strike, float32. Shape: (65536, 1).
        test_inputs: as `train_inputs`. Shape: (8192, 4).
        test_prices: as `train_prices`. Shape: (8192, 1).
    """

    train_inputs: NDArray[np.float32]
    train_prices: NDArray[np.float32]
    test_inputs: NDArray[np.float32]
    test_prices: NDArray[np.float32]


def call_price(contracts: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the price of each contract in units of its strike, by Black and Scholes without dividends.

    Args:
        contracts: numbers in [0, 1): spot over strike less 0.5; years to expiry, halved, less 1/256;
            (volatility a year - 0.05) / 0.75; interest rate a year / 0.1. Shape: (contracts, 4).

    Returns:
        Shape: (contracts,). Range: 0..0.87.
    """
    numbers = np.asarray(contracts, dtype=np.float64)
    spot = 0.5 + numbers[:, 0]
    years = 2 * (numbers[:, 1] + 1 / STEPS)  # never zero
    volatility = 0.05 + 0.75 * numbers[:, 2]
    rate = 0.1 * numbers[:, 3]
    spread = volatility * np.sqrt(years)
    upper = (np.log(spot) + (rate + volatility**2 / 2) * years) / spread
    price = spot * _normal(upper) - np.exp(-rate * years) * _normal(upper - spread)
    return np.maximum(price, 0.0)  # rounding leaves -4e-17 where the price is nothing


def load_contracts() -> Contracts:
    """Draw the contracts, uniformly on the grid, and price them: the same ones every time."""
    drawn = np.random.default_rng(_SEED).integers(0, STEPS, (CONTRACTS + TEST_CONTRACTS, 4))
    inputs = (drawn / STEPS).astype(np.float32)
    prices = call_price(inputs).astype(np.float32)[:, np.newaxis]
    return Contracts(inputs[:CONTRACTS], prices[:CONTRACTS], inputs[CONTRACTS:], prices[CONTRACTS:])


def calibration_contracts() -> NDArray[np.float32]:
    """Return contracts to calibrate a circuit with. Shape: (1024, 1, 4)."""
    drawn = np.random.default_rng(_SEED).integers(0, STEPS, (CALIBRATION_CONTRACTS, 1, 4))
    return (drawn / STEPS).astype(np.float32)


def _normal(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the normal distribution function."""
    share: NDArray[np.float64] = 0.5 * (1 + _ERF(values / math.sqrt(2)))
    return share
