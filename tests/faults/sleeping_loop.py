"""The epoch loop sleeps 30 % longer than its steps take, or by the fraction in DLCV04_FAULT_SLEEP.

DLCV04_FAULT_PARAMETERS: only the loop of networks with so many parameters.
"""

import os
import time

from dlcv04 import training

run_steps = training.Trainer.run_steps
FRACTION = float(os.environ.get("DLCV04_FAULT_SLEEP", "0.3"))
PARAMETERS = os.environ.get("DLCV04_FAULT_PARAMETERS", "")


def faulty(self, count):
    start = time.perf_counter()
    run_steps(self, count)
    if PARAMETERS not in {"", str(self.footprint.parameters)}:
        return
    self.barrier()
    time.sleep(FRACTION * (time.perf_counter() - start))


training.Trainer.run_steps = faulty
