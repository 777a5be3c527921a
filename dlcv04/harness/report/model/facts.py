"""Labelled values: those of the whole run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from dlcv04.harness.report import formatting as fmt
from dlcv04.harness.report.model.claims import short_name
from dlcv04.harness.store.schema import DataRecord, Recheck, Run


@dataclass(frozen=True)
class Fact:
    """A labelled value; `title` holds the long form, `warn` asks to be noticed.

    One that `leads` stands on the first screen; `link` is an https address.
    """

    label: str
    text: str
    title: str = ""
    warn: bool = False
    leads: bool = False
    link: str = ""


def facts(run: Run) -> tuple[Fact, ...]:
    """What was run, where, when, on which data and against what."""
    shown = [
        replace(commit(run), leads=True, link=_link(run, "commit")),
        Fact("Profile", run.profile + (", whole suite" if run.whole_suite else ", part of the suite"), leads=True),
        Fact("Machine class", run.environment.machine_class, leads=True),
        Fact("Data", data_in_words(run.data), leads=True),
        Fact("Duration", fmt.seconds(run.seconds), leads=True),
        Fact("Job", "CI job", leads=True, link=_link(run, "job")),
        Fact("Device", run.device),
        Fact("Started", fmt.moment(run.started), run.started),
    ]
    shown = [fact for fact in shown if fact.text and (fact.link or fact.label != "Job")]
    shown += [
        Fact(
            f"Data: {d.name}",
            f"{fmt.provenance(d.kind, d.provenance)}, {fmt.fingerprint(d.fingerprint)}",
            f"{d.name} ({d.kind}), sha256 {d.fingerprint}",
        )
        for d in {d.fingerprint: d for d in run.data}.values()
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


def commit(run: Run) -> Fact:
    """The commit with its branch, and whether it had uncommitted changes."""
    text = run.commit.id[:10] or "unknown"
    text += f" on {run.commit.branch}" if run.commit.branch else ""
    text += ", uncommitted changes" if run.commit.id and run.commit.dirty else ""
    return Fact("Commit", text, run.commit.id, warn=run.commit.dirty)


def _link(run: Run, name: str) -> str:
    """An address that the run stores; a file that comes from elsewhere may hold anything."""
    url = run.links.get(name, "")
    return url if url.startswith("https://") else ""


_KINDS = {"real": "real data", "embedded": "embedded stand-ins", "own": "own data"}


def data_in_words(data: Sequence[DataRecord]) -> str:
    """The data sets by kind: `real data: mnist, cifar10; own data: monuments13`; features under their set's name."""
    by_kind: dict[str, dict[str, None]] = {}
    for d in data:
        by_kind.setdefault(d.kind, {})[d.name.split(", ")[0]] = None
    return "; ".join(f"{_KINDS.get(kind, kind)}: {', '.join(sorted(names))}" for kind, names in by_kind.items())


def _recheck_fact(recheck: Recheck) -> Fact:
    """What decided a test whose time looked slower than the stored ones."""
    if recheck.against is None:
        return Fact("Seemed slower", f"{short_name(recheck.test)}: no process pairs: {recheck.why}", warn=True)
    count = len({rounds.pair for rounds in recheck.against.pairs})
    text = f"{fmt.plural(count, 'process pair')} against {recheck.against.rev}"
    return Fact("Seemed slower", f"{short_name(recheck.test)}: {text}")
