"""The calibrator: a fixed piece of work that tells how fast the machine is just now."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import threadpoolctl

from dlcv04.backends.base import usable_cores


class Calibrator(NamedTuple):
    """A fixed piece of work, to tell how fast the machine is just now.

    `name` says which: times calibrated by another are not comparable, so every change renames it.
    """

    name: str
    run: Callable[[], None]


def of_cpu() -> Calibrator:
    """About 0.03 s of NumPy on every usable core (float32 matrix products, then passes over memory)."""
    return Calibrator("numpy-512-threads", _work_on_all_cores(np.random.RandomState(0)))


def _work_on_all_cores(random: np.random.RandomState) -> Callable[[], None]:
    # Threads of ours, each with a BLAS of one thread: OpenBLAS's own workers go on spinning for tens of milliseconds
    # after a product, on the cores of the arm that is timed next (measured: 59 ms a step instead of 33).
    threads = usable_cores()
    blas, pool = threadpoolctl.ThreadpoolController(), ThreadPoolExecutor(threads)
    works = [_work(random) for _ in range(threads)]

    def run() -> None:
        with blas.limit(limits=1, user_api="blas"):
            for done in [pool.submit(work) for work in works]:
                done.result()

    return run


def _work(random: np.random.RandomState) -> Callable[[], None]:
    left = random.standard_normal((512, 512)).astype(np.float32)
    long = random.standard_normal(1 << 19).astype(np.float32)
    product, spare = np.empty_like(left), np.empty_like(long)

    def work() -> None:
        for _ in range(10):
            np.matmul(left, left, out=product)
            np.multiply(long, 1.0001, out=spare)
            np.maximum(spare, 0.0, out=spare)
            np.add(spare, long, out=spare)

    return work
