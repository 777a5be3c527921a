"""A suite that claims one thing of every kind, and the learner that its tests train."""

LEARNER = '''
import random
from types import SimpleNamespace

import numpy as np
import pytest

from dlcv04.harness.session.state import add_measured
from dlcv04.harness.store.schema import Arm, EpochRow, SeedCurve
from dlcv04.harness.measuring.seeds import SeededBlock
from dlcv04.harness.session.suite import curves_arm


@pytest.fixture
def learn(request, arms_of, first_seed):
    """Arms are lists of accuracies by epoch."""
    def train(name, levels):
        def one(seed):
            draw = random.Random(f"{seed}{name}")
            rows = []
            for level in levels:
                a = level + draw.gauss(0, 0.004)
                losses = {"train_loss": 1 - a, "val_loss": 1.5 - a}
                rows.append(EpochRow(train_seconds=1, train_accuracy=a, val_accuracy=a, **losses))
            answers = "".join("1" if draw.random() < levels[-1] else "0" for _ in range(500))
            return SeedCurve(seed=seed, epochs=rows, answers=answers)
        return one

    def measure(**arms):
        changed = arms_of(arms)
        block = SeededBlock({n: train(n, v) for n, v in changed.items()}, first_seed=first_seed,
                            facts=dict.fromkeys(changed, {"images": 4000}))
        for arm in block.arms.values():
            add_measured(request.node, 
                lambda arm=arm: Arm(name=arm.name, test=request.node.nodeid, **curves_arm(arm)))
        return SimpleNamespace(**block.arms)
    return measure
'''


KINDS = """
import numpy as np
from dlcv04 import claim, planted, reference_everywhere

SLOW, FAST = [0.2, 0.3, 0.4, 0.5, 0.6, 0.7], [0.4, 0.6, 0.7, 0.75, 0.8, 0.8]
worse = planted("six points worse", lambda levels: [level - 0.06 for level in levels], only="b")
better = planted("six points better", lambda levels: [level + 0.06 for level in levels], only="b")

@claim("Better", control=reference_everywhere("a"))
def test_paired(learn, claim):
    arms = learn(a=SLOW, b=FAST)
    claim.better(arms.b, than=arms.a, by=0.02)

@claim("Not better", control=better)
def test_not_better(learn, claim):
    arms = learn(a=SLOW, b=SLOW)
    claim.not_better(arms.b, than=arms.a, by=0.02)

@claim("Alike", control=worse)
def test_equivalent(learn, claim):
    arms = learn(a=SLOW, b=SLOW)
    claim.equivalent(arms.a, arms.b, within=0.02)

@claim("At the level", control=planted("labels permuted", lambda levels: [0.1] * len(levels)))
def test_level(learn, claim):
    claim.at_least(learn(a=SLOW).a, 0.65)

@claim("Sooner", control=reference_everywhere("a"))
def test_reach(learn, claim):
    arms = learn(a=SLOW, b=FAST)
    claim.reaches_sooner(arms.b, than=arms.a, target=0.6, by=1.25)

def squares(seed):
    return np.arange(5.0) ** 2

@claim("More pictures", control=reference_everywhere("a"))
def test_answers(learn, claim):
    arms = learn(a=SLOW, b=[0.9])
    claim.right_more_often(arms.b, than=arms.a, by=0.03)

@claim("The same", control=planted("one value off", lambda compute: lambda seed: compute(seed) + 1e-2, only="fast"))
def test_identity(computed, claim):
    values = computed(fast=lambda seed: np.arange(5.0) * np.arange(5.0), slow=squares)
    claim.identical(values.fast, values.slow, within=1e-9)

@claim("Higher by filter", control=reference_everywhere("before"))
def test_units(computed, claim):
    values = computed(before=lambda s: np.random.default_rng([s, 1]).normal(size=64),
                      after=lambda s: 2 + np.random.default_rng([s, 2]).normal(size=64))
    claim.higher(values.after, than=values.before, by=0.5, over="filters")
"""
