"""Train the option pricer: about four seconds on one core, the same weights every time."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from circuits.zoo.epochs import shuffled_batches
from circuits.zoo.options.law import Contracts, load_contracts
from circuits.zoo.options.model import option_pricer
from circuits.zoo.randomness import own_randomness
from zkml.core.progress import Progress, silent
from zkml.errors import ModelError

GREATEST_MEAN_ERROR = 0.003
"""In units of the strike: 0.3 % of it, a hundredth of the mean price."""

EPOCHS = 30
BATCH = 512
LEARNING_RATE = 1e-2


@dataclass(frozen=True, slots=True)
class TrainedPricer:
    """The trained pricer and how far it is from the law.

    Attributes:
        module: the network in evaluation mode.
        contracts: what it was trained and tested on.
        mean_error: mean absolute error on the held-out contracts, in units of the strike.
        max_error: the largest.
    """

    module: nn.Module
    contracts: Contracts
    mean_error: float
    max_error: float


def train(seed: int = 0, progress: Progress = silent) -> TrainedPricer:
    """Train the pricer.

    Args:
        seed: of the first weights and the order of contracts; the contracts do not depend on it.
        progress: told after each epoch.

    Returns:
        The same weights for the same seed, machine type and torch; torch's own generator is left as it was.

    Raises:
        ModelError: the mean error on the held-out contracts is above 0.003.
    """
    contracts = load_contracts()
    with own_randomness(seed):
        module = option_pricer()
        _fit(module, contracts, torch.Generator().manual_seed(seed), progress)
    module.eval()
    errors = errors_of(module, contracts.test_inputs, contracts.test_prices)
    mean = float(errors.mean())
    if mean > GREATEST_MEAN_ERROR:
        raise ModelError(
            f"expected a mean error of at most {GREATEST_MEAN_ERROR}, found {mean:.4f} with seed {seed}",
            hint="train with another seed",
            seed=seed,
            mean_error=mean,
        )
    return TrainedPricer(module, contracts, mean, float(errors.max()))


def trained_module() -> nn.Module:
    """Train with the default seed and return the network alone, for `zkml model export`."""
    return train().module


def errors_of(
    module: nn.Module, inputs: NDArray[np.float32], prices: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the absolute errors of prices, in units of the strike. Shape: (contracts, 1)."""
    with torch.no_grad():
        found: NDArray[np.float32] = module(torch.from_numpy(inputs)).numpy()
    errors: NDArray[np.float32] = np.abs(found - prices)
    return errors


def _fit(module: nn.Module, contracts: Contracts, generator: torch.Generator, progress: Progress) -> None:
    inputs, prices = torch.from_numpy(contracts.train_inputs), torch.from_numpy(contracts.train_prices)
    steps = EPOCHS * -(-len(inputs) // BATCH)
    optimizer = torch.optim.AdamW(module.parameters(), lr=LEARNING_RATE, weight_decay=0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=LEARNING_RATE, total_steps=steps)
    for batch in shuffled_batches(len(inputs), BATCH, EPOCHS, generator, progress):
        optimizer.zero_grad()
        torch.autograd.backward(nn.functional.mse_loss(module(inputs[batch]), prices[batch]))
        optimizer.step()
        schedule.step()
