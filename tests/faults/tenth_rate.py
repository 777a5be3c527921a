"""The optimizer is made with a tenth of the recipe's rate."""

from dataclasses import replace

from dlcv04 import recipes

make_optimizer = recipes.Recipe.make_optimizer


def faulty(self):
    return make_optimizer(replace(self, learning_rate=self.learning_rate / 10))


recipes.Recipe.make_optimizer = faulty
