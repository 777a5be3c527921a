"""The epoch loop sleeps 30 % longer than its steps take, or by the fraction in DLCV04_FAULT_SLEEP."""

import os
import time

from dlcv04 import training

run_steps = training.Trainer.run_steps
FRACTION = float(os.environ.get("DLCV04_FAULT_SLEEP", "0.3"))


def faulty(self, count):
    start = time.perf_counter()
    run_steps(self, count)
    self.barrier()
    time.sleep(FRACTION * (time.perf_counter() - start))


training.Trainer.run_steps = faulty
