"""The report's plots as SVG text: intervals, epoch times, learning curves, and the 2016 curves beside them.

Each function returns one `<svg>` element to put inside an HTML page, or an empty string where there is nothing to
draw. The same figures give the same bytes: no date, a fixed hash salt, no random jitter. Colours are CSS variables
with a mid-tone in reserve, so that the page's light or dark scheme applies and a picture alone is readable on both.
matplotlib is imported when the first picture is drawn, never before.
"""

from __future__ import annotations

import hashlib
import html
import io
import math
import re
import statistics
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from dlcv04.harness.report import formatting as fmt
from dlcv04.harness.schema import Arm, Assertion, Published, SeedCurve

WIDTH = 420
FONT = 12
SMALL = 11
#: Points of one curve that are drawn, and rounds of one arm: more can't be told apart at this width.
MAX_POINTS = 120
MAX_ROUNDS = 150
MAX_ARMS = 8

_INK, _MUTED, _GRID, _GOOD, _BAD, _UNSURE = "#010101", "#010102", "#010103", "#010104", "#010105", "#010106"
_SERIES = ("#010111", "#010112", "#010113", "#010114", "#010115", "#010116", "#010117", "#010118")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
#: Placeholder colour -> CSS variable of the page and the colour without one.
_CSS = {
    _INK: "var(--plot-ink, #67717b)",
    _MUTED: "var(--plot-muted, #7d8790)",
    _GRID: "var(--plot-grid, #9aa4ad)",
    _GOOD: "var(--good, #17907c)",
    _BAD: "var(--bad, #d9483b)",
    _UNSURE: "var(--unsure, #b07a14)",
    _SERIES[0]: "var(--c1, #3f74d8)",
    _SERIES[1]: "var(--c2, #d9730d)",
    _SERIES[2]: "var(--c3, #8d63d2)",
    _SERIES[3]: "var(--c4, #2a9d8f)",
    _SERIES[4]: "var(--c5, #c9508c)",
    _SERIES[5]: "var(--c6, #8a7a3c)",
    _SERIES[6]: "var(--c7, #5f8f3a)",
    _SERIES[7]: "var(--c8, #7d8790)",
}
_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "dlcv04",
    "text.parse_math": False,
    "axes.unicode_minus": False,
    "font.size": FONT,
    "path.simplify": True,
}


def forest(assertions: Sequence[Assertion]) -> list[str]:
    """Effect, interval and margin of each assertion, one picture for each unit."""
    groups: dict[tuple[str, bool], list[Assertion]] = {}
    for a in assertions:
        # An exact count has nothing to draw: it is the expected number or it is not.
        counted = a.kind == "EXACT" and a.unit != "ratio"
        if fmt.is_number(a.effect) and fmt.is_number(a.margin) and not counted:
            groups.setdefault((a.unit, a.kind == "LEVEL"), []).append(a)
    return [_forest_group(group) for group in groups.values()]


def epoch_times(arms: Sequence[Arm], stored: Mapping[str, Sequence[float]], published: Published) -> str:
    """Seconds an epoch, arm by arm: each round, the quartiles and median, the stored runs below, 2016 on top.

    The 2016 figures have their own scale along the top edge, laid so that both experiments agree at one arm: the
    distance of the other markers from ours is then a difference of ratios.
    """
    timed = [(arm, times) for arm in arms if (times := _durations(arm.epoch_seconds))][:MAX_ARMS]
    if not timed:
        return ""
    height = _times_height(timed, stored, bool(_scale(timed, published)[1]))
    label = _times_label(timed, stored, published)
    return _drawn(lambda figure: _draw_epoch_times(figure, timed, stored, published), height, label)


def learning_curves(arms: Sequence[Arm]) -> str:
    """Accuracy after each epoch: every seed thin, their mean thick; validation solid, training dashed."""
    learned = [arm for arm in arms if any(_has_accuracy(c) for c in arm.curves)][:MAX_ARMS]
    if not learned:
        return ""
    lines = [_arm_lines(arm, index) for index, arm in enumerate(learned)]
    gone = sum(c.status == "diverged" for arm in learned for c in arm.curves)
    title = _learning_title(learned)
    return _drawn(
        lambda figure: _draw_curves(figure, lines, title, gone),
        _curves_height(len(lines), gone),
        _learning_label(learned),
    )


def published_curves(published: Published, arms: Sequence[Arm] = ()) -> str:
    """The accuracy curves of 2016 in the colours of the same arms in `learning_curves`."""
    ours = [arm.name for arm in arms if any(_has_accuracy(c) for c in arm.curves)][:MAX_ARMS]
    names = dict.fromkeys([*published.val_accuracy, *published.train_accuracy])
    ordered = [n for n in ours if n in names] + [n for n in names if n not in ours]
    lines: list[_Lines] = []
    for name in ordered[:MAX_ARMS]:
        val, train = published.val_accuracy.get(name, []), published.train_accuracy.get(name, [])
        if _finite(val) or _finite(train):
            index = ours.index(name) if name in ours else len(ours) + len(lines)
            lines.append(_Lines(name, index, [val], [train], [], val, train))
    if not lines:
        return ""
    title = "2016" + (f": {published.size}" if published.size else "")
    ends = "; ".join(f"{x.name} ends at {fmt.fraction(_last(x.val_mean)[1])}" for x in lines if _finite(x.val_mean))
    return _drawn(
        lambda figure: _draw_curves(figure, lines, title, 0),
        _curves_height(len(lines), 0),
        f"Accuracy by epoch as published, {title}. Validation: {ends}.",
    )


# --- from a matplotlib figure to a piece of a page ---


def _drawn(draw: Callable[[Any], None], height: float, label: str) -> str:
    """Draw on a fresh figure of WIDTH x `height` pixels and return it as an `<svg>` element with `label`."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_STYLE), warnings.catch_warnings():
        # Names in scripts that the measuring font lacks are drawn by the reader's own fonts.
        warnings.filterwarnings("ignore", message=".*[Gg]lyph.*")
        figure = Figure(figsize=(WIDTH / 72, height / 72), dpi=72)
        figure.patch.set_alpha(0)
        draw(figure)
        stream = io.StringIO()
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _inline(stream.getvalue(), label)


def _inline(svg: str, label: str) -> str:
    """Strip a stand-alone SVG of what a page does not need and give its ids a prefix of its own.

    Only tags are rewritten: what stands between them may be a name that someone chose.
    """
    svg = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", svg[svg.index("<svg") :], flags=re.S)
    used = set(re.findall(r"[\"(]#([\w-]+)", svg))
    prefix = "f" + hashlib.sha256(svg.encode("utf-8", "replace")).hexdigest()[:8] + "-"
    svg = re.sub(r"<[^>]*>", lambda match: _tag(match.group(), used, prefix), svg)
    opening = re.match(r"<svg[^>]*>", svg)
    box = re.search(r'viewBox="[^"]*"', opening.group()) if opening else None
    if opening is None or box is None:
        raise RuntimeError("matplotlib's SVG has no view box: install the version of matplotlib that dlcv04 pins.")
    name = html.escape(fmt.printable(label), quote=True)
    head = f'<svg {box.group()} role="img" stroke-linejoin="round" stroke-linecap="butt" aria-label="{name}">'
    return head + re.sub(r"\n\s*", "\n", svg[opening.end() :]).strip()


def _tag(tag: str, used: set[str], prefix: str) -> str:
    """One tag with short numbers, the page's fonts and colours, and ids that no other picture has."""
    tag = re.sub(r"-?\d+\.\d{3,}", lambda m: f"{float(m.group()):.2f}".rstrip("0").rstrip("."), tag)
    tag = re.sub(r"font: (?:[\w.]+ )*?([\d.]+px)[^;\"]*", r"font-size: \1", tag)
    tag = re.sub(r"; font-family: [^;\"]*", "", tag).replace("xlink:href", "href")
    for colour, css in _CSS.items():
        tag = tag.replace(colour, css)
    tag = re.sub(r'\sid="([^"]*)"', lambda m: f' id="{prefix}{m.group(1)}"' if m.group(1) in used else "", tag)
    return re.sub(r"([\"(])#([\w-]+)", rf"\1#{prefix}\2", tag)


def _axes(figure: Any, left: float, top: float, right: float, bottom: float) -> Any:
    """Axes with margins in pixels, in the report's quiet style."""
    height = figure.get_size_inches()[1] * 72
    axes = figure.add_axes((left / WIDTH, bottom / height, 1 - (left + right) / WIDTH, 1 - (top + bottom) / height))
    axes.patch.set_alpha(0)
    axes.tick_params(colors=_MUTED, labelcolor=_MUTED, labelsize=SMALL, length=3)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(_GRID)
    return axes


# --- intervals ---

_FOREST_ROW = 44


def _forest_group(group: list[Assertion]) -> str:
    label = "; ".join(
        f"{a.treatment} against {a.reference}: {fmt.assertion_effect(a)}, margin {fmt.assertion_margin(a)}, {a.verdict}"
        for a in group
    )
    height = len(group) * _FOREST_ROW + 46
    return _drawn(lambda figure: _draw_forest(figure, group), height, f"Effects with their intervals. {label}.")


def _draw_forest(figure: Any, group: list[Assertion]) -> None:
    axes = _axes(figure, 12, 2, 12, 44)
    low, high = _forest_range(group)
    axes.set_xlim(low, high)
    axes.set_ylim(len(group) * _FOREST_ROW, 0)
    axes.set_yticks([])
    neutral = _neutral(group[0])
    for row, assertion in enumerate(group):
        top = row * _FOREST_ROW
        if neutral is not None:
            axes.plot([neutral, neutral], [top + 20, top + 38], color=_MUTED, lw=1)
        _draw_interval(axes, top, assertion, low, high)
    axes.xaxis.set_major_formatter(lambda value, _: _tick(value, group[0]))
    axes.locator_params(axis="x", nbins=6)
    axes.set_xlabel(_forest_caption(group[0]), color=_MUTED, fontsize=SMALL)


def _draw_interval(axes: Any, top: float, a: Assertion, low: float, high: float) -> None:
    colour = {"HOLDS": _GOOD, "VIOLATED": _BAD}.get(a.verdict, _UNSURE)
    middle = top + 29
    against = f" against {fmt.shorten(a.reference, 24)}" if a.reference else ""
    axes.text(low, top + 14, fmt.shorten(a.treatment, 26) + against, color=_INK, fontsize=FONT, va="baseline")
    for margin in _margins(a):
        axes.plot([margin, margin], [top + 20, top + 38], color=_INK, lw=1.4, ls=(0, (3, 2)), zorder=3)
    for start, end in _held(a, low, high):
        axes.fill_between([start, end], top + 20, top + 38, color=_GOOD, alpha=0.13, lw=0)
    left = max(a.low, low) if a.low is not None else low
    right = min(a.high, high) if a.high is not None else high
    axes.plot([left, right], [middle, middle], color=colour, lw=3, solid_capstyle="butt", zorder=4)
    for end, bound, arrow in ((left, a.low, "<"), (right, a.high, ">")):
        axes.plot([end], [middle], marker=arrow if bound is None else "|", color=colour, ms=8, mew=2, zorder=4)
    axes.plot([a.effect], [middle], marker="o", color=colour, ms=8, mew=0, zorder=5)


def _forest_range(group: list[Assertion]) -> tuple[float, float]:
    neutral = _neutral(group[0])
    values = [v for a in group for v in (a.effect, a.low, a.high, *_margins(a)) if v is not None and math.isfinite(v)]
    values += [neutral] if neutral is not None else []
    low, high = min(values), max(values)
    pad = 0.08 * (high - low) or 0.05 * abs(high) or 1.0
    return low - pad, high + pad


def _neutral(a: Assertion) -> float | None:
    """The value that means no difference; none for a level."""
    return None if a.kind == "LEVEL" else 1.0 if a.unit == "ratio" else 0.0


def _margins(a: Assertion) -> tuple[float, ...]:
    if a.kind != "EQUIVALENT":
        return (a.margin,)
    if a.unit == "ratio" and a.margin > 0:
        return tuple(sorted((a.margin, 1 / a.margin)))
    return (-abs(a.margin), abs(a.margin)) if a.margin else (0.0,)


def _held(a: Assertion, low: float, high: float) -> Iterator[tuple[float, float]]:
    """The stretch of the axis in which the claim holds, as far as margin and verdict tell."""
    margins = _margins(a)
    if len(margins) == 2:
        yield margins[0], margins[1]
        return
    neutral = _neutral(a)
    above = neutral is None or a.margin >= neutral
    if a.effect is not None and a.verdict != "INCONCLUSIVE":
        above = (a.effect >= a.margin) == (a.verdict == "HOLDS")
    yield (a.margin, high) if above else (low, a.margin)


def _tick(value: float, a: Assertion) -> str:
    if a.unit == "points" and a.kind != "LEVEL":
        return f"{value * 100:+.3g}" if value else "0"
    return fmt.data_size(value) if a.unit == "bytes" else fmt.number(round(value, 6))


def _forest_caption(a: Assertion) -> str:
    unit = {"ratio": "ratio, 1 = equal", "points": "points, 0 = equal"}.get(a.unit, a.unit)
    unit = "level" if a.kind == "LEVEL" else unit
    return f"{unit}; dashed: margin, shaded: claim holds"


# --- epoch times ---

_TIME_ROW, _STORED_ROW = 50, 22
_TIMES_TOP, _TIMES_BARE_TOP, _TIMES_BOTTOM = 40, 4, 42


def _times_height(timed: list[tuple[Arm, list[float]]], stored: Mapping[str, Sequence[float]], then: bool) -> float:
    rows = sum(_TIME_ROW + (_STORED_ROW if _durations(stored.get(arm.name, ())) else 0) for arm, _ in timed)
    return rows + _TIMES_BOTTOM + (_TIMES_TOP if then else _TIMES_BARE_TOP)


def _draw_epoch_times(
    figure: Any, timed: list[tuple[Arm, list[float]]], stored: Mapping[str, Sequence[float]], published: Published
) -> None:
    scale, base = _scale(timed, published)
    axes = _axes(figure, 12, _TIMES_TOP if scale else _TIMES_BARE_TOP, 12, _TIMES_BOTTOM)
    then = {name: value / scale for name, value in published.epoch_seconds.items()} if scale else {}
    old = {arm.name: _durations(stored.get(arm.name, ())) for arm, _ in timed}
    shown = [then[arm.name] for arm, _ in timed if arm.name in then]
    limit = _time_limit([times for _, times in timed] + list(old.values()), shown)
    top = 0.0
    for index, (arm, times) in enumerate(timed):
        _draw_time_row(axes, arm.name, times, top, _SERIES[index % len(_SERIES)], limit, then.get(arm.name))
        top += _TIME_ROW
        if old[arm.name]:
            _draw_box(axes, old[arm.name], top, 6, _MUTED, limit)
            before = f"stored {fmt.seconds(statistics.median(old[arm.name]))}"
            axes.text(0, top + 4, before, color=_MUTED, fontsize=SMALL)
            top += _STORED_ROW
    axes.set_xlim(0, limit)
    axes.set_ylim(top, 0)
    axes.set_yticks([])
    axes.xaxis.set_major_formatter(lambda value, _: fmt.number(round(value, 6)))
    axes.set_xlabel(f"seconds an epoch of {_images(timed)}", color=_MUTED, fontsize=SMALL)
    if scale:
        _draw_top_axis(axes, scale, base, published)


def _draw_time_row(
    axes: Any, name: str, times: list[float], top: float, colour: str, limit: float, then: float | None
) -> None:
    axes.text(0, top + 15, fmt.shorten(name, 30), color=_INK, fontsize=FONT, va="baseline")
    axes.text(0, top + 34, fmt.seconds(statistics.median(times)), color=colour, fontsize=FONT, fontweight="bold")
    _draw_box(axes, times, top + 31, 10, colour, limit)
    if then is not None:
        axes.plot([then, then], [top + 17, top + 45], color=_INK, lw=1, zorder=5)
        axes.plot([then], [top + 31], marker="D", ms=8, mfc="none", mec=_INK, mew=1.6, zorder=6)


def _draw_top_axis(axes: Any, scale: float, base: str, published: Published) -> None:
    size = f" ({fmt.shorten(published.size, 28)})" if published.size else ""
    top = axes.secondary_xaxis("top", functions=(lambda x: x * scale, lambda x: x / scale))
    top.tick_params(colors=_MUTED, labelcolor=_MUTED, labelsize=SMALL, length=3)
    top.spines["top"].set_color(_GRID)
    top.set_xlabel(f"◇ 2016, seconds{size}, laid over {fmt.shorten(base, 12)}", color=_MUTED, fontsize=SMALL)


def _draw_box(axes: Any, times: list[float], y: float, half: float, colour: str, limit: float) -> None:
    """Every round as a dot, with the quartiles and the median; rounds beyond the axis are counted at its end."""
    shown = times if len(times) <= MAX_ROUNDS else times[:: math.ceil(len(times) / MAX_ROUNDS)]
    inside = [t for t in shown if t <= limit]
    # A fixed zigzag in place of random jitter: the same run must give the same picture.
    heights = [y + half * 0.75 * (((i * 5) % 7) / 3 - 1) for i in range(len(inside))]
    axes.plot(inside, heights, ls="none", marker="o", ms=4.2, mew=0, color=colour, alpha=0.45, zorder=3)
    if len(times) > 1:
        q1, _, q3 = statistics.quantiles(times, n=4, method="inclusive")
        axes.fill_between([q1, q3], y - half, y + half, facecolor=colour, alpha=0.16, edgecolor=colour, lw=1)
    middle = statistics.median(times)
    axes.plot([middle, middle], [y - half - 2, y + half + 2], color=colour, lw=2.4, zorder=4)
    if beyond := sum(t > limit for t in times):
        axes.text(limit, y + 3, f"+{beyond} slower ▸", color=colour, fontsize=SMALL, ha="right")


def _time_limit(groups: Sequence[Sequence[float]], then: Sequence[float]) -> float:
    """The right end of the time axis: all rounds, unless a few are so slow that they would squeeze the rest."""
    most = max(max(g) for g in groups if g)
    usual = max(statistics.median(g) for g in groups if g)
    limit = 2 * usual if most > 3 * usual else most
    return 1.06 * max([limit, *then])


def _scale(timed: list[tuple[Arm, list[float]]], published: Published) -> tuple[float, str]:
    """2016's seconds for one of ours, and the arm at which both are laid over each other."""
    shared = [(a.name, t) for a, t in timed if fmt.is_number(published.epoch_seconds.get(a.name))]
    for name, times in sorted(shared, key=lambda pair: pair[0] != "base"):
        if published.epoch_seconds[name] > 0:
            return published.epoch_seconds[name] / statistics.median(times), name
    return 0.0, ""


def _durations(values: Sequence[float]) -> list[float]:
    """Times that can be: a clock that did not move measured nothing."""
    return [value for value in _finite(values) if value > 0]


def _images(timed: list[tuple[Arm, list[float]]]) -> str:
    sizes = sorted({arm.images_per_epoch for arm, _ in timed})
    return " or ".join(f"{size:,}" for size in sizes[:3]) + " images, one dot a round"


def _times_label(
    timed: list[tuple[Arm, list[float]]], stored: Mapping[str, Sequence[float]], published: Published
) -> str:
    parts = []
    for arm, times in timed:
        text = f"{arm.name}: median {fmt.seconds(statistics.median(times))} of {fmt.plural(len(times), 'round')}"
        text += f", {fmt.seconds(min(times))} to {fmt.seconds(max(times))}"
        if old := _durations(stored.get(arm.name, ())):
            text += f", stored runs {fmt.seconds(statistics.median(old))}"
        if arm.name in published.epoch_seconds:
            text += f", in 2016 {fmt.seconds(published.epoch_seconds[arm.name])}"
        parts.append(text)
    size = f" The 2016 figures are of {published.size}." if published.size and published.epoch_seconds else ""
    return f"Seconds an epoch of {_images(timed)}. " + "; ".join(parts) + "." + size


# --- learning curves ---


class _Lines:
    """The lines of one arm: each seed's validation and training accuracy, their means, and where seeds diverged."""

    def __init__(
        self,
        name: str,
        index: int,
        val: list[Sequence[float | None]],
        train: list[Sequence[float | None]],
        lost: list[tuple[int, float]],
        val_mean: Sequence[float | None],
        train_mean: Sequence[float | None],
    ) -> None:
        self.name, self.index, self.val, self.train, self.lost = name, index, val, train, lost
        self.val_mean, self.train_mean = val_mean, train_mean


def _arm_lines(arm: Arm, index: int) -> _Lines:
    ok = [c for c in arm.curves if c.status == "ok"]
    lost = [end for c in arm.curves if c.status == "diverged" and (end := _last([e.val_accuracy for e in c.epochs]))[0]]
    return _Lines(
        name=arm.name,
        index=index,
        val=[[e.val_accuracy for e in c.epochs] for c in arm.curves],
        train=[[e.train_accuracy for e in c.epochs] for c in arm.curves],
        lost=lost,
        val_mean=_mean([[e.val_accuracy for e in c.epochs] for c in ok]),
        train_mean=_mean([[e.train_accuracy for e in c.epochs] for c in ok]),
    )


def _mean(curves: Sequence[Sequence[float | None]]) -> list[float | None]:
    """The mean of the seeds that have a figure at an epoch."""
    length = max((len(c) for c in curves), default=0)
    rows = [_finite([c[i] for c in curves if i < len(c)]) for i in range(length)]
    return [statistics.fmean(row) if row else None for row in rows]


def _curves_height(arms: int, gone: int) -> float:
    return 284 + 18 * math.ceil((arms + 2 + bool(gone)) / 2)


def _draw_curves(figure: Any, lines: Sequence[_Lines], title: str, gone: int) -> None:
    axes = _axes(figure, 42, 28, 10, _curves_height(len(lines), gone) - 244)
    axes.set_title(fmt.shorten(title, 50), color=_INK, fontsize=FONT, loc="left", pad=9)
    for line in lines:
        _draw_arm(axes, line)
    longest = max(len(c) for line in lines for c in (*line.val, *line.train))
    axes.set_xlim(1 - 0.02 * longest, longest + 0.02 * longest)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(axis="y", color=_GRID, alpha=0.35, lw=0.8)
    axes.set_axisbelow(True)
    axes.yaxis.set_major_formatter(lambda value, _: fmt.number(round(value, 6)))
    axes.set_xlabel("epoch", color=_MUTED, fontsize=SMALL)
    axes.tick_params(axis="y", length=0)
    _draw_legend(figure, lines, gone)


def _draw_arm(axes: Any, line: _Lines) -> None:
    colour, marker = _SERIES[line.index % len(_SERIES)], _MARKERS[line.index % len(_MARKERS)]
    for curves, mean, dash in ((line.train, line.train_mean, (0, (4, 2))), (line.val, line.val_mean, "-")):
        if len(curves) > 1:
            for curve in curves:
                axes.plot(*_points(curve), color=colour, lw=0.8, alpha=0.4, ls=dash)
        xs, ys = _points(mean)
        every = max(len(xs) // 12, 1)
        axes.plot(xs, ys, color=colour, lw=2.2, ls=dash, marker=marker, ms=4.5, mew=0, markevery=every)
    for epoch, value in line.lost:
        axes.plot([epoch], [value], marker="x", ms=9, mew=2.2, color=_BAD, ls="none", zorder=6)


def _draw_legend(figure: Any, lines: Sequence[_Lines], gone: int) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=_SERIES[x.index % 8], marker=_MARKERS[x.index % 8], ms=4.5, mew=0, lw=2.2) for x in lines
    ]
    labels = [fmt.shorten(x.name, 24) for x in lines]
    handles += [Line2D([], [], color=_MUTED, lw=2), Line2D([], [], color=_MUTED, lw=2, ls=(0, (4, 2)))]
    labels += ["validation", "training"]
    if gone:
        handles.append(Line2D([], [], color=_BAD, marker="x", ms=8, mew=2, ls="none"))
        labels.append(f"diverged ({fmt.plural(gone, 'seed')})")
    legend = figure.legend(
        handles,
        labels,
        loc="lower left",
        bbox_to_anchor=(36 / WIDTH, 0),
        ncols=2,
        frameon=False,
        fontsize=SMALL,
        labelcolor=_INK,
        handlelength=2.6,
        columnspacing=2,
        borderaxespad=0.2,
        labelspacing=0.45,
    )
    legend.set_in_layout(False)


def _points(curve: Sequence[float | None]) -> tuple[list[int], list[float]]:
    """Epochs from 1 and figures to draw, thinned; a gap where there is no figure."""
    step = max(math.ceil(len(curve) / MAX_POINTS), 1)
    keep = sorted({*range(0, len(curve), step), len(curve) - 1}) if curve else []
    values = [curve[i] for i in keep]
    return [i + 1 for i in keep], [math.nan if v is None or not math.isfinite(v) else float(v) for v in values]


def _last(curve: Sequence[float | None]) -> tuple[int, float]:
    """The last epoch that has a figure, and the figure; epoch 0 where none has."""
    known = [(i, v) for i, v in enumerate(curve, start=1) if v is not None and math.isfinite(v)]
    return known[-1] if known else (0, math.nan)


def _has_accuracy(curve: SeedCurve) -> bool:
    return bool(_finite([v for e in curve.epochs for v in (e.val_accuracy, e.train_accuracy)]))


def _learning_title(arms: Sequence[Arm]) -> str:
    seeds = sorted({len(arm.curves) for arm in arms})
    sizes = sorted({arm.images_per_epoch for arm in arms if arm.images_per_epoch})
    images = " or ".join(f"{size:,}" for size in sizes[:3])
    checked = sorted({arm.val_images for arm in arms if arm.val_images})
    parts = [f"{images} images"] if images else []
    parts += [f"{' or '.join(f'{v:,}' for v in checked[:3])} to validate"] if checked else []
    parts.append(f"{seeds[0]}–{seeds[-1]} seeds" if len(seeds) > 1 else fmt.plural(seeds[0], "seed"))
    return "This run: " + ", ".join(parts)


def _learning_label(arms: Sequence[Arm]) -> str:
    parts = []
    for arm in arms:
        ends = _finite([_last([e.val_accuracy for e in c.epochs])[1] for c in arm.curves if c.status == "ok"])
        text = f"{arm.name}: mean {fmt.fraction(statistics.fmean(ends))} at the end" if ends else f"{arm.name}: no end"
        gone = sum(c.status == "diverged" for c in arm.curves)
        parts.append(text + (f", {fmt.plural(gone, 'seed')} diverged" if gone else ""))
    return f"Accuracy by epoch. {_learning_title(arms)}. Validation accuracy, " + "; ".join(parts) + "."


def _finite(values: Sequence[float | None]) -> list[float]:
    return [float(v) for v in values if v is not None and math.isfinite(v)]
