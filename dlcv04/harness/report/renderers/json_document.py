"""The report as JSON, for programs: the same view that people see, with plain numbers in place of text.

The keys below are stable: a later version may add some, and changes `version` where it removes or renames one. A
figure that does not exist is null. The text is ASCII with escapes, so that nothing in it can drive a terminal.

    format, version       "dlcv04-report", 1
    headline              {text, tone}: the run's verdict in a sentence; tone good, unsure, bad or none
    run                   id, started, profile, device, machine_class, key, data, commit {id, branch, dirty},
                          command, seconds, exit_status, compared_with, overhead_seconds, interrupted, not_run:
                          what ended the run before its time ("" where nothing did), and the tests that had not ended
    counts                {claims, comparisons, controls}: verdict -> how many
    suspects              [{verdict, title, text, differences, card}]
    claims                [{card, test, sentence, task, slide, verdict, judged, reason, control, published, seconds,
                          command, expected (why it was to fail, by xfail), assertions, controls, comparisons, arms,
                          pictures}], worst first
      assertions          as stored: kind, treatment, reference, unit, margin, effect, low, high, n, verdict, ...
      controls            [{verdict, name, text}]
      comparisons         as stored: metric, new, old, effect, low, high, gate, minimum_detectable_effect, verdict, ...
      pictures            [{name, caption, published, width, height, sha256}], of the PNG in the run's own file
      arms                [{name, network, parameters, macs, weight_bytes, optimizer_bytes, activation_bytes, layers,
                          median_epoch_seconds, stored_median_epoch_seconds, facts}]
    waiting               {profile, or what else can judge them and why: [test]}: the claims that were not run
    comparisons           every one of the run, missing ones included
    history               [{test, arm, metric, calibrated, values, runs, level, shift, changes}]; values are log
                          seconds or shares of one, oldest first and this run last; runs[i] is the id of values[i]
                          or null for this run; changes [{index, size, text}]
    environment           [{group, name, now, stored, differs}]
    clocks                [{name, text}]: worst readings of the timed blocks
    self_test             null, or {id, started, process_sd, process_df, process_point, process_upper95, rounds_sd,
                          smallest_slowdown, replayed}
"""

from __future__ import annotations

import hashlib
import json
import statistics
from collections.abc import Sequence
from typing import Any

from dlcv04.harness.policy import Policy
from dlcv04.harness.report import model
from dlcv04.harness.report.model import history
from dlcv04.harness.report.model.trends import Trend
from dlcv04.harness.selftest import replaying
from dlcv04.harness.store.schema import Arm, Picture, Run, finite, to_builtins
from dlcv04.harness.store.selftests import SelfTest

VERSION = 1


def render(run: Run, baselines: Sequence[Run] = (), self_test: SelfTest | None = None) -> str:
    """The report of `run` beside the stored runs `baselines` as JSON text, ended by a line break."""
    view = model.build(run, baselines)
    document = {
        "format": "dlcv04-report",
        "version": VERSION,
        "headline": {"text": view.headline.text, "tone": view.headline.tone},
        "run": _run(run),
        "counts": _counts(view),
        "suspects": [_concern(concern) for concern in view.concerns],
        "claims": [_claim(card) for card in view.cards],
        "waiting": {
            claims[0].waits_for or claims[0].judged_from: [claim.test for claim in claims] for _, claims in view.waiting
        },
        "comparisons": [to_builtins(row) for row in run.comparisons],
        "history": [_trend(trend) for trend in history.build(run, baselines).trends],
        "environment": [
            {"group": row.group, "name": row.name, "now": row.now, "stored": row.stored, "differs": row.differs}
            for row in view.environment
        ],
        "clocks": [{"name": fact.label, "text": fact.text} for fact in view.clocks],
        "self_test": _self_test(self_test, Policy(profile=run.profile)) if self_test is not None else None,
    }
    return json.dumps(_strict(document), indent=1, allow_nan=False) + "\n"


def _run(run: Run) -> dict[str, Any]:
    names = ("id", "started", "profile", "device", "key", "command", "seconds", "exit_status", "compared_with")
    ended = ("interrupted", "not_run")
    return {
        **{name: getattr(run, name) for name in (*names, *ended)},
        "machine_class": run.environment.machine_class,
        "commit": to_builtins(run.commit),
        "data": [to_builtins(record) for record in run.data],
        "overhead_seconds": run.overhead_seconds,
    }


def _counts(view: model.View) -> dict[str, dict[str, int]]:
    own = [card.badge.word for card in view.cards]
    return {
        "claims": {name: own.count(name) for name in model.worst_first(set(own))},
        "comparisons": {badge.word: count for badge, count in view.comparison_counts},
        "controls": {badge.word: count for badge, count in view.control_counts},
    }


def _concern(concern: model.Concern) -> dict[str, Any]:
    return {
        "verdict": concern.badge.word,
        "title": concern.title,
        "text": concern.text,
        "differences": concern.differences,
        "card": concern.anchor,
    }


def _claim(card: model.Card) -> dict[str, Any]:
    claim = card.claim
    names = ("test", "sentence", "task", "slide", "judged", "reason", "control", "seconds", "command", "expected")
    return {
        "card": card.anchor,
        "verdict": card.badge.word,
        **{name: getattr(claim, name) for name in names},
        "published": to_builtins(claim.published),
        "assertions": [to_builtins(assertion) for assertion in claim.assertions],
        "controls": [{"verdict": c.badge.word, "name": c.name, "text": c.text} for c in card.controls],
        "comparisons": [to_builtins(row) for row in claim.comparisons],
        "arms": [_arm(arm, card.stored_times.get(arm.name, ())) for arm in card.arms],
        "pictures": [_picture(picture) for picture in claim.pictures],
    }


def _picture(picture: Picture) -> dict[str, Any]:
    names = ("name", "caption", "published", "width", "height")
    return {**{name: getattr(picture, name) for name in names}, "sha256": hashlib.sha256(picture.png).hexdigest()}


def _arm(arm: Arm, stored: Sequence[float]) -> dict[str, Any]:
    names = ("name", "network", "parameters", "macs", "weight_bytes", "optimizer_bytes", "activation_bytes", "facts")
    return {
        **{name: getattr(arm, name) for name in names},
        "layers": [to_builtins(layer) for layer in arm.layers],
        "median_epoch_seconds": statistics.median(arm.epoch_seconds) if arm.epoch_seconds else None,
        "stored_median_epoch_seconds": statistics.median(stored) if stored else None,
    }


def _trend(trend: Trend) -> dict[str, Any]:
    return {
        "test": trend.test,
        "arm": trend.arm,
        "metric": trend.metric,
        "calibrated": trend.calibrated,
        "values": [point.value for point in trend.points],
        "runs": [point.run.id if point.run is not None else None for point in trend.points],
        "level": trend.level,
        "shift": trend.points[-1].value - trend.level,
        "changes": [{"index": c.index, "size": c.size, "text": c.text} for c in trend.changes],
    }


def _self_test(test: SelfTest, policy: Policy) -> dict[str, Any]:
    names = ("id", "started", "process_sd", "process_df", "process_point", "process_upper95", "rounds_sd")
    return {
        **{name: getattr(test, name) for name in names},
        "smallest_slowdown": replaying.smallest_seen(test, policy),
        "replayed": [to_builtins(replay) for replay in test.replayed],
    }


def _strict(value: Any) -> Any:
    """The document with every figure that JSON has no word for as null; an arm's facts may hold one."""
    if isinstance(value, dict):
        return {str(name): _strict(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(inner) for inner in value]
    return finite(value) if isinstance(value, float) else value
