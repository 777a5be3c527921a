"""``dlcv04 baseline``: runs the suite in fresh processes and stores the result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dlcv04.commands.options import DeviceName, Force, ProfileName, Reason, Source, Suite
from dlcv04.commands.speech import bar, say, stop
from dlcv04.harness.policy import RECORDED_SEEDS

if TYPE_CHECKING:
    from dlcv04.harness.store.acceptance import Candidate, Part
    from dlcv04.harness.store.baselines import Store


def baseline(
    reason: Reason,
    processes: Annotated[int, typer.Option(min=0, help="fresh processes for the timing part; 0 for none")] = 5,
    profile: ProfileName = "smoke",
    data: Source = "auto",
    device: DeviceName = "auto",
    suite: Suite = "bench",
    learning: Annotated[bool, typer.Option(help="also record learning curves and exact figures")] = True,
    seeds: Annotated[int, typer.Option(min=RECORDED_SEEDS, help="seeds of the learning curves")] = RECORDED_SEEDS,
    name: Annotated[str, typer.Option(help="readable half of the files' names (default: the profile)")] = "",
    force: Force = False,
) -> None:
    """Run the suite in fresh processes and store the result.

    Nothing is stored if one of them fails.
    """
    from dlcv04.harness.machine import git
    from dlcv04.harness.session import recording
    from dlcv04.harness.store import baselines, files, manifest
    from dlcv04.harness.store.reading import RunFileError

    commit = git.commit(".")
    if commit.dirty and not force:
        stop("The working tree has uncommitted changes: commit them first, or use --force.", 1)
    if processes == 0 and not learning:
        stop("--processes 0 --no-learning records nothing: ask for one of them.")
    parts: list[Part] = ["portable"] if learning else []
    parts += ["timing"] * processes
    options = [f"--dl-profile={profile}", f"--dl-data={data}", f"--dl-device={device}", f"--dl-seeds={seeds}"]
    store = baselines.Store("baselines")
    try:
        manifest.read(store.root)  # one that can't be read is found before the minutes of recording
        candidates = _record(parts, options, suite, force, name or profile)
    except KeyboardInterrupt:
        stop("Stopped; nothing was stored.", 130)
    except (recording.RecordingError, RunFileError) as error:
        stop(str(error), 1)
    try:
        for path in store.accept_all(candidates, reason=reason, commit=commit):
            say(f"stored: {path}")
    except (files.BaselineError, RunFileError) as error:
        stop(str(error), 1)
    _say_power(store, candidates[-1])


def _record(parts: list[Part], options: list[str], suite: str, force: bool, name: str) -> list[Candidate]:
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from dlcv04.harness.session import recording

    columns = (SpinnerColumn(), *Progress.get_default_columns(), TimeElapsedColumn(), TextColumn("{task.fields[part]}"))
    with bar(*columns) as progress:
        task = progress.add_task("recording", total=len(parts), part="")

        def recorded(number: int, part: Part) -> Candidate:
            def started() -> None:
                progress.update(task, part=part)
                say(f"process {number} of {len(parts)}: {part}")

            candidate = recording.record(part, options, suite=suite, forced=force, name=name, started=started)
            progress.update(task, advance=1)
            return candidate

        return [recorded(number, part) for number, part in enumerate(parts, 1)]


def _say_power(store: Store, newest: Candidate) -> None:
    """How small a slowdown the gate sees from now on."""
    from dlcv04.harness.judging import power
    from dlcv04.harness.store.reading import decode_run

    last = decode_run(dict(newest.document)["dlcv04"], "the last run")
    stored = [process.run for process in store.load(machine_class=last.environment.machine_class).timing]
    comparable = [run for run in stored if run.key == last.key]
    for seen in power.power(comparable, last) if comparable else []:
        say(
            f"{seen.benchmark}: {seen.seconds:.3g} s an epoch, smallest slowdown seen in 4 of 5 runs "
            f"{seen.smallest - 1:.0%}"
        )
