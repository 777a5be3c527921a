"""Labelled values: those of the whole run."""

from __future__ import annotations

from dataclasses import dataclass, replace

from dlcv04.harness.report import formatting as fmt
from dlcv04.harness.report.model.claims import short_name
from dlcv04.harness.store.schema import Recheck, Run


@dataclass(frozen=True)
class Fact:
    """A labelled value; `title` holds the long form, `warn` asks to be noticed."""

    label: str
    text: str
    title: str = ""
    warn: bool = False


def facts(run: Run) -> tuple[Fact, ...]:
    """What was run, where, when, on which data and against what."""
    commit = run.commit.id[:10] or "unknown"
    if run.commit.branch:
        commit += f" on {run.commit.branch}"
    if run.commit.id and run.commit.dirty:
        commit += ", uncommitted changes"
    shown = [
        Fact("Profile", run.profile + (", whole suite" if run.whole_suite else ", part of the suite")),
        Fact("Device", run.device),
        Fact("Machine class", run.environment.machine_class),
        Fact("Commit", commit, run.commit.id, warn=run.commit.dirty),
        Fact("Started", fmt.moment(run.started), run.started),
        Fact("Duration", fmt.seconds(run.seconds)),
    ]
    shown += [
        Fact(
            "Data" if len(run.data) == 1 else f"Data: {d.name}",
            f"{d.name if len(run.data) == 1 else d.kind}, {d.provenance}, {fmt.fingerprint(d.fingerprint)}",
            f"{d.name} ({d.kind}), sha256 {d.fingerprint}",
        )
        for d in run.data
    ]
    if run.against is not None:
        known = f"{100 * run.against.process_sd:.1f} % on {run.against.process_df:g} degrees of freedom"
        text = f"{run.against.rev} ({run.against.commit[:10]}); between processes {known}, {run.against.process_source}"
        shown.append(Fact("Against", text))
    shown += [_recheck_fact(recheck) for recheck in run.rechecks]
    if run.acceptance:
        forced = ", forced" if run.acceptance.forced else ""
        shown.append(Fact("Accepted", f"{fmt.moment(run.acceptance.accepted)}{forced}: {run.acceptance.reason}"))
    return tuple(replace(f, text=fmt.shorten(f.text, 160), title=f.title or f.text) for f in shown)


def _recheck_fact(recheck: Recheck) -> Fact:
    """What decided a test whose time looked slower than the stored ones."""
    if recheck.against is None:
        return Fact("Looked slower", f"{short_name(recheck.test)}: no process pairs: {recheck.why}", warn=True)
    count = len({rounds.pair for rounds in recheck.against.pairs})
    text = f"{fmt.plural(count, 'process pair')} against {recheck.against.rev}"
    return Fact("Looked slower", f"{short_name(recheck.test)}: {text}")
