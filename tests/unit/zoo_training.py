"""A training of the zoo, with all that is seen of it from outside."""

import torch


def train_seen(training):
    """Train with seed 0: (result, events, whether torch's state is as before)."""
    events = []
    before = torch.get_rng_state(), torch.get_num_threads()
    result = training.train(seed=0, progress=events.append)
    return (
        result,
        events,
        torch.equal(before[0], torch.get_rng_state()) and before[1] == torch.get_num_threads(),
    )
