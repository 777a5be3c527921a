"""How long a round should be: the same arm in pairs of identical fresh processes, at five lengths, equal seconds each.

Usage: round_lengths.py PAIRS. Prints for each length the sd of a round's log ratio, the sd of a pair's trimmed mean,
what its rounds alone would give, and what is left for the process (95 % limit).
"""

import contextlib
import random
import sys
import tempfile
from pathlib import Path

from dlcv04.harness import stats
from dlcv04.harness.measuring import process_pairs

LENGTHS = (0.05, 0.1, 0.2, 0.4, 0.8)
SECONDS = 2.4  # a length, a side, a pair
TEST = "bench/test_task1_architecture.py::test_fc1024_takes_longer"


def measure(number, found):
    """One process pair: its first arm (base) at every length, in random order of lengths."""
    side = [process_pairs.Side(name, Path.cwd(), process_pairs.absolute_data()) for name in ("old", "new")]
    order = random.Random(number)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        pair = []
        for one in side:
            pair.append(process_pairs.Worker(one, [TEST.split("::")[0], "--dl-data=embedded"], folder / one.name))
            stack.callback(pair[-1].end)
        for worker in pair:
            worker.tests()
        for worker in pair:
            worker.send([TEST])
        ready = tuple(worker.ready() for worker in pair)
        for length in order.sample(LENGTHS, len(LENGTHS)):
            rounds = max(4, round(SECONDS / length))
            timed = process_pairs._time_arm(tuple(pair), ready, order, number, rounds, length)
            found[length].append(timed.log_ratios)
        for worker in pair:
            worker.process.kill()


def main(pairs):
    """Measure and print the table."""
    found = {length: [] for length in LENGTHS}
    for number in range(pairs):
        measure(number, found)
    print(f"{pairs} process pairs of identical code, {SECONDS} s a length and side")
    print("round s | rounds | sd of a round % | sd of pairs % | by rounds % | process % (95 % limit)")
    for length, groups in found.items():
        spread = stats.between_process_sd([groups])
        means = [stats.trimmed_mean(group).mean for group in groups]
        single = stats.pooled_sd(groups).sd
        pairs_sd = stats.pooled_sd([means]).sd
        print(
            f"{length:7} | {len(groups[0]):6} | {100 * single:15.1f} | {100 * pairs_sd:13.2f} | "
            f"{100 * spread.within:11.2f} | {100 * spread.point:.2f} ({100 * spread.upper95:.2f})"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]))
