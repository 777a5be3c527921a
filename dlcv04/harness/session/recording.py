"""Recording a baseline: the suite in fresh processes, stored together or not at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dlcv04.harness.measuring import fresh_process
from dlcv04.harness.store.acceptance import Candidate, Part, may_accept
from dlcv04.harness.store.reading import decode_run


class RecordingError(RuntimeError):
    """A process failed, or its run does not deserve to be a baseline; nothing was stored."""


def record(
    part: Part, options: Sequence[str], *, suite: str, forced: bool, name: str, started: Callable[[], object]
) -> Candidate:
    """Run one half of the suite in a fresh process.

    Args:
        part: "timing" or "portable" (learning curves and exact figures).
        options: further options of pytest.
        suite: the folder of the claims.
        forced: record in spite of what `may_accept` says.
        name: the readable half of the stored file's name.
        started: called just before the process starts.

    Raises:
        RecordingError: the process failed or its run may not be accepted; with the end of what it printed.
    """
    half = "learning" if part == "portable" else "timing"
    started()
    done = fresh_process.run([suite, f"--dl-record={half}", *options])
    if done.code != 0 or done.document is None:
        raise RecordingError(f"{done.printed}\nThe {half} process failed: nothing was stored.")
    refusal = may_accept(decode_run(done.document["dlcv04"], "the recorded run"))
    if refusal and not forced:
        raise RecordingError(f"{refusal} Nothing was stored.")
    return Candidate(done.document, part, forced, name)
