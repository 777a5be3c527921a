"""``dlcv04 selftest``: measures this machine's noise and what the gate makes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dlcv04.commands.options import DeviceName, ProfileName, Source, Suite
from dlcv04.commands.speech import project, say, stop_after


def selftest(
    quick: Annotated[
        bool, typer.Option(help="one timing test, no faults of learning; 10 minutes at most on two cores")
    ] = False,
    identical: Annotated[int, typer.Option(min=4, help="process pairs of identical code; 20 are wanted")] = 20,
    planted: Annotated[int, typer.Option(min=0, help="process pairs of each planted slowdown; 4 make a run")] = 4,
    profile: ProfileName = "smoke",
    data: Source = "auto",
    device: DeviceName = "auto",
    suite: Suite = "bench",
) -> None:
    """Measure this machine's noise, and test the judge on it.

    Measures how `--dl-against` copes with the noise: false alarms, detection, smallest slowdown.

    Then plants faults of learning (labels drawn at random, a tenth of the rate, validation pictures in training), and
    says whether the suite notices them. The result is stored for the machine class; the gate uses it from then on.
    """
    from dlcv04 import workbench
    from dlcv04.faults import FAULTS
    from dlcv04.harness.machine import facts
    from dlcv04.harness.measuring import process_pairs
    from dlcv04.harness.policy import Policy
    from dlcv04.harness.selftest import learning_faults, replaying, running, sentences
    from dlcv04.harness.store import selftests

    places = project(suite)
    found = facts.chosen_device(device)
    machine = facts.machine_class(found, facts.hardware())
    sizes = running.Sizes(identical, planted, tests=1 if quick else None)
    options = [suite, f"--dl-profile={profile}", f"--dl-data={data}", f"--dl-device={device}"]
    key = {"profile": profile, **workbench.planned_key(found)}
    faults = {} if quick else FAULTS
    seconds = sizes.pairs * (16 if quick else 40) + 40 * len(faults)
    say(f"{sizes.pairs} process pairs and {len(faults)} planted faults on {machine}; about {seconds / 60:.0f} min")
    try:
        test = running.run_self_test(
            Path.cwd(), options, sizes, machine_class=machine, key=key, tell=say, faults=faults
        )
    except (process_pairs.PairError, learning_faults.FaultError) as error:
        stop_after(f"{error}\nNothing was stored.", 1)
    policy = Policy(profile=profile)
    test = replaying.with_replays(test, policy)
    say(f"stored: {selftests.keep(test, places.baselines)}")
    for line in sentences.lines(test, policy):
        say(line)
