"""The statistics: pure functions from numbers to an effect, an interval and a verdict, one method a file."""

from dlcv04.harness.stats.basics import (
    Floats,
    Interval,
    StatisticsError,
    TrimmedMean,
    minimum_detectable_effect,
    split_alpha,
    trimmed_mean,
    upper_t,
)
from dlcv04.harness.stats.crossed import crossed_interval, crossed_test
from dlcv04.harness.stats.level import clopper_pearson, level_test
from dlcv04.harness.stats.order import OrderTest, order_test, sign_flip_e_process
from dlcv04.harness.stats.pairs import (
    FLOOR_PROCESS_SD,
    PRIOR_PROCESS_DF,
    PRIOR_PROCESS_SD,
    ProcessSpread,
    between_process_sd,
    process_pair_gate,
)
from dlcv04.harness.stats.reach import EpochsToTarget, epochs_to_target, reach_log_ratio
from dlcv04.harness.stats.results import ClaimVerdict, ComparisonResult, ComparisonVerdict, SequentialResult
from dlcv04.harness.stats.seeds import group_sequential_t, sign_flip_p, tost
from dlcv04.harness.stats.shift import level_shift_test
from dlcv04.harness.stats.spreads import PooledSd, combined_sd, pooled_sd, successive_sd, upper_sd
from dlcv04.harness.stats.steps import Step, detect_steps
from dlcv04.harness.stats.stored import PRIOR_DF, PRIOR_SD, PRIOR_SLOPE, stored_run_test

__all__ = [
    "ClaimVerdict",
    "ComparisonResult",
    "ComparisonVerdict",
    "EpochsToTarget",
    "FLOOR_PROCESS_SD",
    "Floats",
    "Interval",
    "OrderTest",
    "PRIOR_DF",
    "PRIOR_PROCESS_DF",
    "PRIOR_PROCESS_SD",
    "PRIOR_SD",
    "PRIOR_SLOPE",
    "PooledSd",
    "ProcessSpread",
    "SequentialResult",
    "StatisticsError",
    "Step",
    "TrimmedMean",
    "between_process_sd",
    "clopper_pearson",
    "combined_sd",
    "crossed_interval",
    "crossed_test",
    "detect_steps",
    "epochs_to_target",
    "group_sequential_t",
    "level_shift_test",
    "level_test",
    "minimum_detectable_effect",
    "order_test",
    "pooled_sd",
    "process_pair_gate",
    "reach_log_ratio",
    "sign_flip_e_process",
    "sign_flip_p",
    "split_alpha",
    "stored_run_test",
    "successive_sd",
    "tost",
    "trimmed_mean",
    "upper_sd",
    "upper_t",
]
