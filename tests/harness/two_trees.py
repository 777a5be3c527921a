"""A suite of two claims, timed against another tree on a machine whose clock is ours."""

import json

from tests.conftest import FAKE_MACHINE, SUITE
from tests.harness.inner_runs import run_apart

TWO = (
    SUITE
    + """
@claim("The same again", control=reference_everywhere("short"))
def test_again(epoch_time, machine, claim):
    times = epoch_time(short=machine.arm(0.1), long=machine.arm(0.3))
    claim.slower(times.long, than=times.short, by=1.10)
"""
)


#: Each process draws its own noise.
LIVELY = FAKE_MACHINE.replace("random.Random(1)", "random.Random()")


def against(committed, *options, rev="HEAD"):
    arguments = ("bench", f"--dl-against={rev}", "--benchmark-json=run.json", *options)
    result = run_apart(committed.pytester, *arguments)
    path = committed.path / "run.json"
    run = json.loads(path.read_text())["dlcv04"] if path.exists() else None
    return result, run


def verdicts(run):
    return {
        f"{claim['test'].split('::')[1]}<{row['arm']}>": row["verdict"]
        for claim in run["claims"]
        for row in claim["comparisons"]
        if row["asserted"]
    }
