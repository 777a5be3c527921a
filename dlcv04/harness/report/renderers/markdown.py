"""The run's summary as GitHub-flavoured Markdown, for the summary page of a CI job."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from dlcv04.harness.report import formatting as fmt
from dlcv04.harness.report import model
from dlcv04.harness.report.model import history
from dlcv04.harness.report.model.claims import told_apart
from dlcv04.harness.store.schema import Run

#: A job summary may hold 1 MiB; longer texts and tables than these are for the HTML report.
_CELL = 240
_ROWS = 200


def render(run: Run, baselines: Sequence[Run] = ()) -> str:
    """The verdict of `run`, what is red or open, its claims, where levels changed, what differs from stored runs."""
    view = model.build(run, baselines)
    parts = [headline(view)]
    if view.concerns:
        rows = ([_badge(s.badge), _text(s.title), _text(s.text), _list(s.differences)] for s in view.concerns)
        parts += ["### To look at", _table(("Verdict", "What", "Why", "Changed since"), rows, len(view.concerns))]
    parts.append(_about(view))
    if view.cards:
        parts += ["### Claims", _claims(view.cards)]
    if unread := [card for card in view.cards if card.is_unread]:
        parts.append(_text(f"{model.UNREAD} ({', '.join(model.short_name(card.test) for card in unread)}).", 1000))
    if view.waiting:
        apart = told_apart(claim for _, claims in view.waiting for claim in claims)
        rows = (
            [_text(claim.waits_for or claim.judged_from), _text(f"{claim.sentence} {apart.get(claim.test, '')}")]
            for _, claims in view.waiting
            for claim in claims
        )
        count = sum(len(claims) for _, claims in view.waiting)
        parts += ["### Not run: this run can't judge them", _table(("They wait for", "Claim"), rows, count)]
    if pictures := [(card, picture) for card in view.cards for picture in card.claim.pictures]:
        rows = ([_text(p.name), _text(card.named(_CELL)), _text(p.caption), _text(p.published)] for card, p in pictures)
        head = ("Picture", "Claim", "What to see", "In 2016")
        parts += ["### Pictures, in the HTML report", _table(head, rows, len(pictures))]
    if moved := [trend for trend in history.build(run, baselines).trends if trend.changes]:
        rows = ([_text(t.arm), _text(t.test), _list([change.text for change in t.changes])] for t in moved)
        parts += ["### Level changed", _table(("Figure", "Test", "Change"), rows, len(moved))]
    differing = [row for row in view.environment if row.differs]
    if differing:
        rows = ([_text(row.name), _text(row.now), _text(row.stored)] for row in differing)
        parts += ["### Differs from the stored runs", _table(("Property", "This run", "Stored"), rows, len(differing))]
    return "\n\n".join(parts) + "\n"


def headline(view: model.View) -> str:
    """The verdict of the run as a heading."""
    return f"## {view.headline.symbol} {_text(view.headline.text, 1000)}"


def _about(view: model.View) -> str:
    return " · ".join(f"{_text(fact.label)}: **{_text(fact.text)}**" for fact in view.facts)


def _claims(cards: Sequence[model.Card]) -> str:
    rows: list[list[str]] = []
    for card in cards:
        badges = _Markup(" ".join(_badge(b) for b in (card.badge, *card.other_red)))
        for i, a in enumerate(card.assertions):
            start = [badges, _text(card.named(_CELL))] if i == 0 else ["", ""]
            rows.append([*start, _text(a.sentence), a.effect, f"{a.limit} {a.margin}", a.n])
        if not card.assertions:
            rows.append([badges, _text(card.named(_CELL)), _text(card.reason), "", "", ""])
    return _table(("Verdict", "Claim", "Assertion", "Effect [interval]", "Against", "n"), rows, len(rows))


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], count: int) -> str:
    lines = [_row(head), _row([_Markup("---")] * len(head))]
    lines += [_row(row) for row, _ in zip(rows, range(_ROWS), strict=False)]
    if count > _ROWS:
        lines.append(_row([f"and {count - _ROWS} more, in the HTML report", *[""] * (len(head) - 1)]))
    return "\n".join(lines)


class _Markup(str):
    """Markdown that was made here; any other text is a stored one, and is escaped."""


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell if isinstance(cell, _Markup) else _text(cell) for cell in cells) + " |"


def _badge(badge: model.Badge) -> _Markup:
    return _Markup(f"{badge.symbol} **{badge.text}**")


def _list(items: Sequence[str]) -> _Markup:
    return _Markup("<br>".join(_text(item) for item in items[:10]))


def _text(text: str, width: int = _CELL) -> _Markup:
    """Stored text on one line in which nothing is markup: no tag, link, mention, image or table edge."""
    escaped = fmt.shorten(text, width).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    escaped = re.sub(r"([\\`*_{}\[\]()#!|~$])", r"\\\1", escaped)
    # An entity keeps `@name` and bare addresses from becoming mentions and links.
    return _Markup(escaped.replace("@", "&#64;").replace("://", "&#58;//").replace("www.", "www&#46;"))
