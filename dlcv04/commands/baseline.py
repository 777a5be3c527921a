"""``dlcv04 baseline``: runs the suite in fresh processes and stores the result."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from dlcv04.commands.options import DeviceName, Force, ProfileName, Reason, Source, Suite
from dlcv04.commands.speech import bar, project, say, stop, stop_after
from dlcv04.harness.policy import RECORDED_SEEDS

if TYPE_CHECKING:
    from dlcv04.harness.store.acceptance import Candidate, Part
    from dlcv04.harness.store.baselines import Store
    from dlcv04.harness.store.schema import Run


def baseline(
    reason: Reason,
    processes: Annotated[int, typer.Option(min=0, help="fresh processes for the timing part; 0 for none")] = 5,
    profile: ProfileName = "smoke",
    data: Source = "auto",
    device: DeviceName = "auto",
    suite: Suite = "bench",
    learning: Annotated[bool, typer.Option(help="also record learning curves and exact figures")] = True,
    seeds: Annotated[int, typer.Option(min=RECORDED_SEEDS, help="seeds of the learning curves")] = RECORDED_SEEDS,
    append: Annotated[bool, typer.Option(help="add a session to those stored (times only)")] = False,
    name: Annotated[str, typer.Option(help="readable part of the file names (default: the profile)")] = "",
    force: Force = False,
) -> None:
    """Run the suite in fresh processes and store the result.

    Processes of one call are one session: a card's clocks and neighbours change from one to the next. Another starts
    six hours later, or after a reboot. Nothing is stored if a process fails.
    """
    from dlcv04.harness.machine import git
    from dlcv04.harness.session import recording
    from dlcv04.harness.store import files, manifest
    from dlcv04.harness.store.reading import RunFileError

    places = project(suite)
    store, commit = places.store, git.commit(places.root)
    if commit.dirty and not force:
        doubt = git.doubt(places.root)
        stop(f"{doubt[:1].upper()}{doubt[1:]}, or use --force.", 1)
    if processes == 0 and (append or not learning):
        stop("--processes 0 with --no-learning or --append records nothing: ask for at least one process.")
    parts: list[Part] = ["portable"] if learning and not append else []
    parts += ["timing"] * processes
    options = [f"--dl-profile={profile}", f"--dl-data={data}", f"--dl-device={device}", f"--dl-seeds={seeds}"]
    try:
        manifest.read(store.root)  # one that can't be read is found before the minutes of recording
        check = partial(_refuse_same_session, store) if append else lambda first: None
        candidates = _record(parts, options, suite, force, name or profile, check)
    except KeyboardInterrupt:
        stop("Stopped; nothing was stored.", 130)
    except (recording.RecordingError, RunFileError) as error:
        stop_after(str(error), 1)
    try:
        for path in store.accept_all(candidates, reason=reason, commit=commit):
            say(f"stored: {path}")
    except (files.BaselineError, RunFileError) as error:
        stop(str(error), 1)
    _say_power(store, candidates[-1])


def _record(
    parts: list[Part], options: list[str], suite: str, force: bool, name: str, check: Callable[[Candidate], None]
) -> list[Candidate]:
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
            if number == 1:
                check(candidate)
            return candidate

        return [recorded(number, part) for number, part in enumerate(parts, 1)]


def _stored_like(store: Store, newest: Candidate) -> tuple[Run, list[Run]]:
    """A candidate's run, and the stored timing runs of its machine class and key."""
    from dlcv04.harness.store.reading import decode_run

    run = decode_run(dict(newest.document)["dlcv04"], "the last run")
    timing = store.load(machine_class=run.environment.machine_class).timing
    return run, [process.run for process in timing if process.run.key == run.key]


def _refuse_same_session(store: Store, first: Candidate) -> None:
    from dlcv04.harness.judging import card_times
    from dlcv04.harness.session.recording import RecordingError

    run, stored = _stored_like(store, first)
    where = run.environment.machine_class
    if not stored:
        raise RecordingError(f"--append: nothing is stored for {where} with these settings yet: leave it out.")
    session = card_times.sessions(stored)[-1]
    if card_times.is_one_session(session[0], run):
        raise RecordingError(
            f"--append: the last session of {where} began at {session[0].started}, so a run now would belong to it: "
            "wait until six hours after it, or reboot. To add processes to it, leave --append out."
        )


def _say_power(store: Store, newest: Candidate) -> None:
    """How small a slowdown the gate sees from now on."""
    from dlcv04.harness.judging import card_times, power
    from dlcv04.harness.session import against

    last, stored = _stored_like(store, newest)
    if not stored:
        return
    spread = against.known_spread(store.root, last.environment.machine_class, last.key)
    for seen in power.power(stored, last, pair_sd=spread.sd, pair_df=spread.df):
        say(
            f"{seen.benchmark}: {seen.seconds:.3g} s an epoch, smallest slowdown seen in 4 of 5 runs "
            f"{seen.smallest - 1:.0%} by the stored processes alone, {seen.by_pairs - 1:.0%} by process pairs"
        )
    count = len(card_times.sessions(stored))
    if last.device == "gpu":
        say(f"{count} session{'s' * (count != 1)} stored; add one six hours later or after a reboot with --append")
