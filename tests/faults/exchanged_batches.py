"""Small batches and large ones are exchanged on the way to the trainer: 16 with 128."""

from dataclasses import replace

from dlcv04 import training

real = training.Trainer.__init__


def faulty(self, network, dataset, recipe):
    real(self, network, dataset, replace(recipe, batch_size=2048 // recipe.batch_size))


training.Trainer.__init__ = faulty
