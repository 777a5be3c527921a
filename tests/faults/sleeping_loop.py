"""The epoch loop sleeps 30 % longer than its steps take."""

import time

from dlcv04 import training

run_steps = training.Trainer.run_steps


def faulty(self, count):
    start = time.perf_counter()
    run_steps(self, count)
    self.barrier()
    time.sleep(0.3 * (time.perf_counter() - start))


training.Trainer.run_steps = faulty
