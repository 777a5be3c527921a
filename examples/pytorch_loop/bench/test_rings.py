"""Claims about the loop in `rings`: what its networks learn, and how long a step takes."""

from functools import partial

import rings
import torch

from dlcv04 import claim, reference_everywhere, timed_call, trained_by

LINEAR, HIDDEN = (trained_by(partial(rings.train, hidden)) for hidden in (0, 32))


@claim("Rings take a hidden layer", control=reference_everywhere("linear"))
def test_a_hidden_layer_learns_better(learning, claim):
    """No line separates two rings."""
    curves = learning(linear=LINEAR, hidden=HIDDEN)
    claim.better(curves.hidden, than=curves.linear, by=0.10)


def stepping(hidden):
    """A step on a fixed batch, as `timed_call` takes it."""
    generator = torch.Generator().manual_seed(0)
    points, ring = rings.draw(1000, generator)
    model = rings.network(hidden)
    optimizer = torch.optim.Adam(model.parameters())
    return timed_call(partial(rings.step, model, optimizer, points, ring), images=len(points))


@claim("Sixteen times the units make a step longer", control=reference_everywhere("narrow"))
def test_a_wide_layer_takes_longer(epoch_time, claim):
    """On a CPU a step is over when it returns; on a card `barrier` has to wait for it."""
    times = epoch_time(narrow=stepping(32), wide=stepping(512))
    claim.slower(times.wide, than=times.narrow, by=1.5)
