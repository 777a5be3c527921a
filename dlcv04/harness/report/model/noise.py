"""What the machine's newest self-test says of its noise and of the gate, as text."""

from __future__ import annotations

from dlcv04.harness.judging import pair_gate
from dlcv04.harness.policy import Policy
from dlcv04.harness.report import formatting as fmt
from dlcv04.harness.report.model.facts import Fact
from dlcv04.harness.selftest import replaying, sentences
from dlcv04.harness.store.selftests import SelfTest


def noise(test: SelfTest, policy: Policy) -> tuple[Fact, ...]:
    """The figures of one self-test; cheap, since what takes seconds was stored when it was measured."""
    pairs = len({rounds.pair for rounds in test.identical})
    planted = len({(p.ratio, rounds.pair) for p in test.planted for rounds in p.pairs})
    tests = fmt.plural(test.tests, "timing test")
    smallest = replaying.smallest_seen(test, policy)
    shown = [
        Fact("Measured", f"{fmt.moment(test.started)}, in {fmt.seconds(test.seconds)}, commit {test.commit.id[:10]}"),
        Fact("Process pairs", f"{pairs} of identical code, {planted} slowed on purpose, of {tests}"),
        Fact("Spread between processes", f"sd {test.process_point:.1%}, 95 % limit {test.process_upper95:.1%}"),
        Fact("The gate counts on", f"sd {test.process_sd:.1%} with {test.process_df:g} degrees of freedom"),
        Fact("Rounds of one pair", f"leave {test.rounds_sd:.1%} open about its mean"),
        _false_alarms(test),
        Fact("Smallest slowdown seen", f"{smallest - 1:.1%}, in 4 of 5 runs of {pair_gate.LOOKS[-1]} process pairs"),
    ]
    shown += [
        Fact("Planted fault", f"{fault.describes}: {sentences.describe_fault(fault)}", warn=not fault.noticed)
        for fault in test.faults
    ]
    return tuple(shown)


def _false_alarms(test: SelfTest) -> Fact:
    same = next((replay for replay in test.replayed if replay.ratio == 1.0), None)
    if same is None:
        return Fact("False alarms", "not stored with this self-test: run `dlcv04 selftest` again", warn=True)
    rate = replaying.Rate(same.red_runs, same.runs)
    text = f"{rate} whole runs red, replayed from these pairs; promised {same.promised:.1%}"
    return Fact("False alarms", text, warn=rate.bounds.low > same.promised)
