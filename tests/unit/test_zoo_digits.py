"""The digit classifier: the split, the accuracy, and the same weights every time."""

import numpy as np
import pytest
import torch
from zoo_training import train_seen

from circuits.zoo.digits import train as training
from circuits.zoo.digits.data import load_images
from circuits.zoo.digits.model import INPUT_SHAPE, digit_classifier, example_input
from zkml.errors import ModelError


@pytest.fixture(scope="module")
def trained():
    """Train once; see `train_seen`."""
    return train_seen(training)


def test_images__split__holds_out_a_fifth_of_each_digit():
    """1,797 images split into 1,437 and 360 that share none by position, each digit in proportion."""
    images = load_images()
    assert images.train_inputs.shape == (1437, *INPUT_SHAPE[1:])
    assert images.test_inputs.shape == (360, *INPUT_SHAPE[1:])
    assert images.test_inputs.dtype == np.float32
    counts = np.bincount(images.test_labels, minlength=10)
    assert counts.min() >= 34
    assert counts.max() <= 37
    assert set(np.unique(images.train_inputs * 16)) == set(range(17))


def test_train__seed_0__passes_the_bar_with_a_margin(trained):
    """The test accuracy is at least 96.5 %, and it is the module's own on the held-out images."""
    result, _, _ = trained
    assert result.test_accuracy >= 0.965
    assert training.accuracy_of(result.module, result.test_inputs, result.test_labels) == result.test_accuracy
    assert not result.module.training


def test_train__again__gives_the_same_weights(trained):
    """One seed, one set of weights, whatever was drawn from torch's generator in between."""
    torch.rand(3)
    again = training.train(seed=0)
    for first, second in zip(trained[0].module.parameters(), again.module.parameters(), strict=True):
        assert torch.equal(first, second)


def test_train__global_state__is_left_as_it_was(trained):
    """Torch's generator and number of threads are as before."""
    assert trained[2]


def test_train__progress__ends_once(trained):
    """Each epoch is told, and the last one says that it is the last."""
    events = trained[1]
    assert [event.stage for event in events] == ["train"] * training.EPOCHS
    assert [event.finished for event in events] == [False] * (training.EPOCHS - 1) + [True]


def test_train__too_few_epochs__is_refused(monkeypatch):
    """A classifier below 95 % is an error with its accuracy, not a bad model."""
    monkeypatch.setattr(training, "EPOCHS", 1)
    with pytest.raises(ModelError, match=r"at least 0\.95, found 0\.") as caught:
        training.train(seed=0)
    assert caught.value.context["accuracy"] < 0.95


def test_classifier__shapes__are_the_circuits():
    """One image in, ten logits out, 1,474 parameters."""
    module = digit_classifier()
    assert module(example_input()).shape == (1, 10)
    assert sum(parameter.numel() for parameter in module.parameters()) == 1474
