"""``dlcv04 accept``: accepts a saved run as a baseline."""

from __future__ import annotations

from typing import Annotated

import typer

from dlcv04.commands.options import Force, Reason
from dlcv04.commands.speech import project, say, stop


def accept(
    run: Annotated[str, typer.Argument(help="a saved run: its path, id or number in .benchmarks/")] = "",
    *,
    reason: Reason,
    retire: Annotated[str, typer.Option(metavar="TEST", help="retire a test that was removed or renamed")] = "",
    force: Force = False,
) -> None:
    """Accept a saved run as a baseline, or retire a test."""
    if bool(run) == bool(retire):
        stop("Name a saved run to accept, or a test to retire with --retire, but not both.")
    from dlcv04.harness.judging import replay
    from dlcv04.harness.machine import git
    from dlcv04.harness.store import acceptance, checking, files, reading

    places = project()
    store = places.store
    try:
        if retire:
            count = store.retire(retire, reason=reason, commit=git.commit(places.root))
            say(f"retired: {retire}, from {count} stored file{'s' if count > 1 else ''}")
            return
        path = store.find_saved(run)
        document = reading.parse(path)
        stored = reading.decode_run(document.get("dlcv04"), str(path))
        refusal = acceptance.may_accept(stored) or replay.untrue(stored)
        if not refusal and (arm := checking.other_times(document, stored)):
            refusal = f"{path} has other times of {arm} in its rows than in its `dlcv04` block: it was edited."
        if refusal and not force:
            stop(refusal, 1)
        candidates = [acceptance.Candidate(document, part, force) for part in acceptance.parts(stored)]
        for written in store.accept_all(candidates, reason=reason, commit=git.commit(places.root)):
            say(f"stored: {written}")
    except (reading.RunFileError, files.BaselineError) as error:
        stop(str(error))
