"""The run's summary as plain lines for pytest's terminal: one line a claim, red first, then the verdict of the run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from dlcv04 import plaintext
from dlcv04.harness.report import formatting as fmt
from dlcv04.harness.report import model
from dlcv04.harness.report.model import tone
from dlcv04.harness.report.model.headline import lost_part
from dlcv04.harness.store.schema import Run

_WIDTH = 56
_KINDS = {
    "times": ("time", "times"),
    "learning": ("figure of learning", "figures of learning"),
    "exact": ("exact figure", "exact figures"),
    None: ("other figure", "other figures"),
}


def lines(run: Run, baselines: Sequence[Run] = ()) -> list[str]:
    """Lines of a summary, without colour or control characters: each claim with verdict, effect, interval and n."""
    return [plaintext.one_line(line) for line in _lines(run, baselines)]


def _lines(run: Run, baselines: Sequence[Run]) -> list[str]:
    view = model.build(run, baselines)
    lost = lost_part(run)
    advice = "`dlcv04 baseline` stores a baseline on this machine"
    out = [f"{lost[:1].upper()}{lost[1:]} with the stored runs: {advice}."] if lost else []
    for card in view.cards:
        out.append(_claim(card))
        out += [_comparison(row) for row in card.comparisons if row.by_pairs or tone.is_notable(row.badge)]
        out += [
            f"    {c.badge.word:<14}control ({fmt.shorten(c.name, 60)}): {fmt.shorten(c.text, 120)}"
            for c in card.controls
            if tone.needs_attention(c.badge)
        ]
    tests = {card.test for card in view.cards}
    out += [_comparison(row) for row in view.comparisons if tone.is_red(row.badge) and row.test not in tests]
    out += [f"{'ERROR':<14}{fmt.shorten(text, 160)}" for text in tone.unexplained_failures(run)]
    return [
        *out,
        *_unread(view),
        *_pictures(view),
        *_overhead(run),
        *_not_compared(run),
        view.headline.text,
    ]


def _unread(view: model.View) -> list[str]:
    """The tests whose code has no hash: nothing stored can tell that it changed."""
    names = [model.short_name(card.test) for card in view.cards if card.is_unread]
    if not names:
        return []
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    listed = ", ".join(fmt.shorten(name, 60) for name in names[:4])
    return [f"{model.UNREAD} ({listed}{more})."]


def _pictures(view: model.View) -> list[str]:
    """How many pictures the report shows, and the first names."""
    names = [picture.name for card in view.cards for picture in card.claim.pictures]
    if not names:
        return []
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    listed = ", ".join(fmt.shorten(name, 60) for name in names[:4])
    return [f"{fmt.plural(len(names), 'picture')} in the report: {listed}{more}."]


def _overhead(run: Run) -> list[str]:
    """What was neither a timed round nor a training step, and the run's wall time."""
    if not run.overhead_seconds:
        return []
    named = sorted(run.overhead_seconds.items())
    parts = ", ".join(f"{fmt.shorten(name, 40)} {fmt.seconds(value)}" for name, value in named)
    return [f"Overhead (of {fmt.seconds(run.seconds)} in all): {parts}."]


def _not_compared(run: Run) -> list[str]:
    """How many figures of each kind had nothing to be compared with, and the command that stores some."""
    counts: Counter[str | None] = Counter(row.kind for row in run.comparisons if row.verdict == "NO_BASELINE")
    if not counts:
        return []
    parts = [fmt.plural(counts[kind], *named) for kind, named in _KINDS.items() if counts[kind]]
    return [f"Not compared: {', '.join(parts)}: `dlcv04 baseline` stores what a later run is compared with."]


def _claim(card: model.Card) -> str:
    title = f"{card.badge.word:<14}{card.named(_WIDTH):<{_WIDTH}}"
    if not card.assertions or (card.claim.lacking and card.badge.word == "INCONCLUSIVE"):
        return f"{title}  {fmt.shorten(card.reason, 120)}".rstrip()
    words = model.worst_first(a.badge.word for a in card.assertions)
    deciding = next(a for a in card.assertions if a.badge.word == words[0])
    more = f"  (+{len(card.assertions) - 1} more)" if len(card.assertions) > 1 else ""
    more += f"  expected (xfail: {fmt.shorten(card.claim.expected, 80)})" if card.claim.expected else ""
    return f"{title}  {deciding.effect}, {deciding.limit} {deciding.margin}, n = {deciding.n}{more}"


def _comparison(row: model.ComparisonRow) -> str:
    effect = "" if row.effect == fmt.ABSENT else f" {row.effect}, gate {row.gate}, MDE {row.detectable}, n = {row.n};"
    reason = fmt.shorten(row.reason, 300 if row.by_pairs else 160)
    text = f"    {row.badge.word:<14}{fmt.shorten(row.name, _WIDTH)}:{effect} {reason}".rstrip()
    changed = "; ".join(fmt.shorten(d, 80) for d in row.differences[:3])
    return text + (f" [{changed}]" if changed else "")
