"""Judge the claims of a deep-learning experiment with pytest.

Public names: the decorator `claim` with its controls `reference_everywhere` and `planted`, `Published` for figures
that stand beside yours, `Dataset` and `Recipe` for your own experiment, `trained`, `timed_fit` and `timed_call` for
arms that are no plain network, what can be asked of a learning curve (`Metric`, `Series` and the ready ones), and
`load_runs`, which reads stored runs into a table. The fixtures (`claim`, `epoch_time`, `learning`, `footprints`,
`computed`, `picture`, `dataset`, `cifar10`, `buildings`, `recipe`, `timing_recipe`, `progress`) come with the plugin.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dlcv04.arms import timed_call, timed_fit, trained
    from dlcv04.datasets import Dataset
    from dlcv04.harness.claims import claim
    from dlcv04.harness.controls import planted, reference_everywhere
    from dlcv04.harness.frames import load_runs
    from dlcv04.harness.schema import Published
    from dlcv04.harness.seeds import (
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
    from dlcv04.recipes import Recipe

__version__ = "0.1.0"

_HOMES = {
    "Dataset": "datasets",
    "FINAL_LOSS_GAP": "harness.seeds",
    "FINAL_TRAIN_ACCURACY": "harness.seeds",
    "FINAL_VAL_ACCURACY": "harness.seeds",
    "GAIN_AFTER_TURN": "harness.seeds",
    "LATE_LOSS_GAP": "harness.seeds",
    "LOSS_RISE": "harness.seeds",
    "MEAN_TRAIN_ACCURACY": "harness.seeds",
    "MEAN_VAL_ACCURACY": "harness.seeds",
    "Metric": "harness.seeds",
    "Published": "harness.schema",
    "Recipe": "recipes",
    "Series": "harness.seeds",
    "TRAIN_ACCURACY": "harness.seeds",
    "VAL_ACCURACY": "harness.seeds",
    "VAL_LOSS": "harness.seeds",
    "claim": "harness.claims",
    "load_runs": "harness.frames",
    "planted": "harness.controls",
    "reference_everywhere": "harness.controls",
    "timed_call": "arms",
    "timed_fit": "arms",
    "trained": "arms",
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
]


def __getattr__(name: str) -> Any:
    """Find a public name in its home, imported at its first use: `import dlcv04` alone costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
