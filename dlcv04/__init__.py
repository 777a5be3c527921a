"""Judge the claims of a deep-learning experiment with pytest.

Public names: the decorator `claim` with its controls `reference_everywhere` and `planted`, `Published` for figures
that stand beside yours, `Dataset` and `Recipe` for your own experiment, `trained`, `trained_by`, `timed_fit` and
`timed_call` for arms that are no plain network, what can be asked of a learning curve (`Metric`, `Series` and the ready
ones), and `load_runs`, which reads stored runs into a table. The fixtures (`claim`, `epoch_time`, `learning`,
`footprints`, `computed`, `picture`, `dataset`, `cifar10`, `buildings`, `recipe`, `timing_recipe`, `progress`) come with
the plugin.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dlcv04.arms import timed_call, timed_fit, trained, trained_by
    from dlcv04.datasets import Dataset
    from dlcv04.harness.claims.claim import claim
    from dlcv04.harness.claims.controls import planted, reference_everywhere
    from dlcv04.harness.judging.metrics import (
        FINAL_LOSS_GAP,
        FINAL_TRAIN_ACCURACY,
        FINAL_VAL_ACCURACY,
        GAIN_AFTER_TURN,
        LATE_LOSS_GAP,
        LOSS_RISE,
        MEAN_TRAIN_ACCURACY,
        MEAN_VAL_ACCURACY,
        TRAIN_ACCURACY,
        VAL_ACCURACY,
        VAL_LOSS,
        Metric,
        Series,
    )
    from dlcv04.harness.store.frames import load_runs
    from dlcv04.harness.store.schema import Published
    from dlcv04.recipes import Recipe

__version__ = "0.1.0"

_HOMES = {
    "Dataset": "datasets",
    "FINAL_LOSS_GAP": "harness.judging.metrics",
    "FINAL_TRAIN_ACCURACY": "harness.judging.metrics",
    "FINAL_VAL_ACCURACY": "harness.judging.metrics",
    "GAIN_AFTER_TURN": "harness.judging.metrics",
    "LATE_LOSS_GAP": "harness.judging.metrics",
    "LOSS_RISE": "harness.judging.metrics",
    "MEAN_TRAIN_ACCURACY": "harness.judging.metrics",
    "MEAN_VAL_ACCURACY": "harness.judging.metrics",
    "Metric": "harness.judging.metrics",
    "Published": "harness.store.schema",
    "Recipe": "recipes",
    "Series": "harness.judging.metrics",
    "TRAIN_ACCURACY": "harness.judging.metrics",
    "VAL_ACCURACY": "harness.judging.metrics",
    "VAL_LOSS": "harness.judging.metrics",
    "claim": "harness.claims.claim",
    "load_runs": "harness.store.frames",
    "planted": "harness.claims.controls",
    "reference_everywhere": "harness.claims.controls",
    "timed_call": "arms",
    "timed_fit": "arms",
    "trained": "arms",
    "trained_by": "arms",
}

__all__ = [
    "Dataset",
    "FINAL_LOSS_GAP",
    "FINAL_TRAIN_ACCURACY",
    "FINAL_VAL_ACCURACY",
    "GAIN_AFTER_TURN",
    "LATE_LOSS_GAP",
    "LOSS_RISE",
    "MEAN_TRAIN_ACCURACY",
    "MEAN_VAL_ACCURACY",
    "Metric",
    "Published",
    "Recipe",
    "Series",
    "TRAIN_ACCURACY",
    "VAL_ACCURACY",
    "VAL_LOSS",
    "claim",
    "load_runs",
    "planted",
    "reference_everywhere",
    "timed_call",
    "timed_fit",
    "trained",
    "trained_by",
]


def __getattr__(name: str) -> Any:
    """Find a public name in its home, imported at its first use: `import dlcv04` alone costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
