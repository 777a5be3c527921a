"""Whole `--dl-against HEAD` runs on this machine: unchanged code, quiet or beside a neighbour, and planted slowdowns.

Usage: live_bars.py OUT.jsonl [quiet=N] [busy=N] [planted=N]     measures, appending a line a run
       live_bars.py OUT.jsonl                                    says what all lines add up to

A busy run has a busy loop on one core beside it. A planted run slows two arms' steps, one by 20 % and another by
10 %, in rotation; the other arms are unchanged. An arm's verdict rests on its own rounds and a fixed share of the
budget, so it is what it would be were it alone.
"""

import contextlib
import json
import statistics
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import msgspec

from dlcv04 import workbench
from dlcv04.harness.judging import pair_gate
from dlcv04.harness.machine import facts, git
from dlcv04.harness.measuring.process_pairs import Side, absolute_data
from dlcv04.harness.measuring.round_server import PLANTED
from dlcv04.harness.policy import Policy
from dlcv04.harness.selftest.running import process_spread
from dlcv04.harness.session import against
from dlcv04.harness.stats import clopper_pearson
from dlcv04.harness.store.schema import Against, to_builtins

ROOT = Path.cwd()
TIMING = "bench/test_task1_architecture.py"
GATED = {
    "test_more_conv_layers_take_longer": ("one_conv_less", "base", "three_conv_more"),
    "test_fc1024_takes_longer": ("base", "fc1024"),
    "test_half_the_filters_are_faster": ("half_filters", "base"),
}
ARMS = [(f"{TIMING}::{test}", arm) for test, arms in GATED.items() for arm in arms]
POLICY = Policy(against=True)


@contextlib.contextmanager
def neighbour(wanted):
    """A busy loop on one core."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"]) if wanted else None
    try:
        yield
    finally:
        if process:
            process.kill()
            process.wait()


def plants(number):
    """What the planted run of this number slows: benchmark -> ratio."""
    return {ARMS[number % len(ARMS)]: 1.2, ARMS[(number + 3) % len(ARMS)]: 1.1}


def one_run(tree, commit, spread, planted):
    """One whole measurement: its record and seconds."""
    tests = [f"{TIMING}::{test}" for test in GATED]
    slowed = ";".join(f"{test}<{arm}>={ratio - 1:.3f}" for (test, arm), ratio in planted.items())
    start = time.perf_counter()
    record = against.run_pairs(
        Side("old", tree, absolute_data()),
        Side("new", ROOT, {**absolute_data(), PLANTED: slowed or "0"}),
        [TIMING, "--dl-data=embedded"],
        rev="HEAD",
        commit=commit,
        tests=len(tests),
        wanted=tests,
        spread=spread,
        policy=POLICY,
        tell=lambda what: None,
    )
    return record, time.perf_counter() - start


def verdict(record, benchmark, times=1.0):
    """The gate's verdict on one benchmark, its new rounds made `times` as long."""
    slowed = [
        msgspec.structs.replace(pair, new_seconds=[times * seconds for seconds in pair.new_seconds])
        for pair in record.pairs
        if pair.key == benchmark
    ]
    others = [pair for pair in record.pairs if pair.key != benchmark]
    return pair_gate.judge(msgspec.structs.replace(record, pairs=[*others, *slowed]), *benchmark, POLICY).verdict


def whole(records, at):
    """The first two process pairs of four runs, from the one `at` on, as one run that reached the last look."""
    chosen = [records[(at + step) % len(records)] for step in range(pair_gate.LOOKS[-1] // 2)]
    return msgspec.structs.replace(chosen[0], pairs=renumbered(chosen))


def seconds_measured(record, benchmark):
    """Seconds of rounds that one benchmark took, both sides."""
    return sum(sum(pair.old_seconds) + sum(pair.new_seconds) for pair in record.pairs if pair.key == benchmark)


def measure(out, plan):
    """Run the plan, a line a run."""
    machine = facts.machine_class("cpu", facts.hardware())
    key = {"profile": "smoke", **workbench.planned_key("cpu")}
    spread = against.known_spread(ROOT / "baselines", machine, key)
    commit = git.resolve(ROOT, "HEAD")
    print(f"{machine}; between processes {spread.sd:.1%} on {spread.df:g} df ({spread.source})", flush=True)
    with git.worktree(ROOT, commit) as tree:
        for number, what in enumerate(plan):
            planted = plants(plan[:number].count("planted")) if what == "planted" else {}
            with neighbour(what == "busy"):
                record, wall = one_run(tree, commit, spread, planted)
            line = {"what": what, "wall": wall, "against": to_builtins(record)}
            line["planted"] = [[*benchmark, ratio] for benchmark, ratio in planted.items()]
            with out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            found = {f"{arm} x{planted.get((test, arm), 1):g}": verdict(record, (test, arm)) for test, arm in ARMS}
            odd = {name: word for name, word in found.items() if word != "PASS"}
            print(f"{number + 1} of {len(plan)} {what}: {wall:.0f} s, not PASS: {odd}", flush=True)


def rate(count, total):
    """`3 of 20 [x, y]`: with its exact 95 % interval."""
    bounds = clopper_pearson(count, total, 0.95)
    return f"{count} of {total} [{bounds.low:.1%}, {bounds.high:.1%}]"


def fixed_percentage(run, stored, benchmark, figure, percent):
    """pytest-benchmark's rule on one benchmark: the first new process against an old process of the run `stored`."""
    new, old = (
        figure(next(getattr(pair, side) for pair in one.pairs if pair.key == benchmark and pair.pair == 0))
        for one, side in ((run, "new_seconds"), (stored, "old_seconds"))
    )
    return new > old * (1 + percent / 100)


def say_fixed_percentages(name, records):
    """How often pytest-benchmark's `--benchmark-compare-fail` would be red on the same rounds of unchanged code."""
    for label, figure, percent in (
        ("median:5%", statistics.median, 5),
        ("mean:10%", statistics.fmean, 10),
    ):
        for when, stored in (("in the same minute", records), ("a run earlier", [None, *records[:-1]])):
            both = [(new, old) for new, old in zip(records, stored, strict=True) if old is not None]
            red = [[fixed_percentage(*pair, one, figure, percent) for one in ARMS] for pair in both]
            benchmarks = rate(sum(map(sum, red)), len(red) * len(ARMS))
            runs = rate(sum(map(any, red)), len(red))
            print(f"  pytest-benchmark {label}, stored {when}: benchmarks red {benchmarks}, runs red {runs} ({name})")


def renumbered(records):
    """The first two process pairs of all runs, each with a number of its own."""
    numbered = [
        (2 * place + pair.pair, pair) for place, one in enumerate(records) for pair in one.pairs if pair.pair < 2
    ]
    return [msgspec.structs.replace(pair, pair=number) for number, pair in numbered]


def say_planted(lines, how, known):
    """How often planted arms were red, and the unchanged ones beside them; `known` replaces the spread they had."""
    words = {1.0: [], 1.1: [], 1.2: []}
    for line in (line for line in lines if line["what"] == "planted"):
        record = msgspec.structs.replace(msgspec.convert(line["against"], Against), **known)
        planted = {(test, arm): ratio for test, arm, ratio in line["planted"]}
        for one in ARMS:
            words[planted.get(one, 1.0)].append(verdict(record, one))
    for ratio, found in words.items():
        if found:
            red = rate(found.count("REGRESSED"), len(found))
            print(f"planted x{ratio:g}, {how}: red {red}; {dict(Counter(found))}")


def say(lines):
    """What the lines add up to."""
    for what in ("quiet", "busy"):
        runs = [line for line in lines if line["what"] == what]
        if not runs:
            continue
        records = [msgspec.convert(line["against"], Against) for line in runs]
        words = [[verdict(record, one) for one in ARMS] for record in records]
        counted = Counter(word for row in words for word in row)
        print(f"unchanged, {what}: runs red {rate(sum('REGRESSED' in row for row in words), len(words))}")
        print(f"  benchmarks: {dict(counted)}; two pairs decided {sum(len(r.pairs) == 2 * len(ARMS) for r in records)}")
        say_fixed_percentages(what, records)
        joined = [whole(records, at) for at in range(0, len(records), 2)]
        for times in (1.0, 1.1, 1.2):
            red = sum(verdict(record, one, times) == "REGRESSED" for record in joined for one in ARMS)
            print(f"  replay x{times:g}, pairs of four runs at a time: red {rate(red, len(joined) * len(ARMS))}")
    say_planted(lines, "as judged live", {})
    quiet = [msgspec.convert(line["against"], Against) for line in lines if line["what"] == "quiet"]
    if len(quiet) >= 10:
        spread = process_spread(renumbered(quiet))
        known = {"process_sd": spread.sd, "process_df": spread.df}
        print(f"between processes, from {2 * len(quiet)} pairs of the quiet runs: {spread}")
        say_planted(lines, "the same rounds, judged with that spread", known)
    records = [msgspec.convert(line["against"], Against) for line in lines]
    spent = [seconds_measured(record, one) for record in records for one in ARMS]
    walls = [line["wall"] for line in lines]
    print(f"seconds of measuring a benchmark: mean {statistics.fmean(spent):.1f}, most {max(spent):.1f}")
    print(f"seconds of a run: median {statistics.median(walls):.0f}, {min(walls):.0f} to {max(walls):.0f}")
    print(f"n = {len(walls)} runs, {len(spent)} benchmarks")


def main(out, *wanted):
    """Measure what is wanted, or say what was measured."""
    counts = {name: int(count) for name, count in (text.split("=") for text in wanted)}
    if counts:
        # In turns, so that a drift of the machine meets all kinds and a cut run is balanced.
        turns = range(max(counts.values()))
        measure(Path(out), [what for turn in turns for what, count in counts.items() if turn < count])
    say([json.loads(line) for line in Path(out).read_text(encoding="utf-8").splitlines()])


if __name__ == "__main__":
    main(*sys.argv[1:])
