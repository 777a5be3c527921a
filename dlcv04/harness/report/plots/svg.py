"""A small SVG picture, drawn element by element in pixels.

The report draws hundreds of pictures that are a few lines, dots and words each. Drawn like this one takes a
millisecond and two kilobytes; a plotting library's takes forty and twenty-five. Colours are CSS variables of the page
with a mid-tone in reserve, so that the page's light or dark scheme applies. The same calls give the same bytes.
"""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from dlcv04 import plaintext

WIDTH = 420
FONT, SMALL = 12, 11

INK = "var(--plot-ink,#67717b)"
MUTED = "var(--plot-muted,#7d8790)"
GRID = "var(--plot-grid,#9aa4ad)"
GOOD, BAD, UNSURE = "var(--good,#17907c)", "var(--bad,#d9483b)", "var(--unsure,#b07a14)"
#: One colour and one marker an arm, so that colour never carries the meaning alone.
ARM_COLOURS = tuple(
    f"var(--c{i},{colour})"
    for i, colour in enumerate(
        ("#3f74d8", "#d9730d", "#8d63d2", "#2a9d8f", "#c9508c", "#8a7a3c", "#5f8f3a", "#7d8790"), start=1
    )
)
MARKERS = ("circle", "square", "up", "diamond", "down", "plus", "cross", "bar")
#: Corners of a marker in units of half its size, a list for each stroke; the open ones are strokes, not areas.
_SHAPES: dict[str, list[list[tuple[float, float]]]] = {
    "square": [[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)]],
    "up": [[(0, -1.1), (1, 0.8), (-1, 0.8)]],
    "down": [[(0, 1.1), (1, -0.8), (-1, -0.8)]],
    "left": [[(-1, 0), (0.8, -1), (0.8, 1)]],
    "right": [[(1, 0), (-0.8, -1), (-0.8, 1)]],
    "diamond": [[(0, -1.2), (1.2, 0), (0, 1.2), (-1.2, 0)]],
    "plus": [[(-1, 0), (1, 0)], [(0, -1), (0, 1)]],
    "cross": [[(-0.8, -0.8), (0.8, 0.8)], [(0.8, -0.8), (-0.8, 0.8)]],
    "bar": [[(0, -1), (0, 1)]],
}
_OPEN = {"plus", "cross", "bar"}


@dataclass(frozen=True)
class Scale:
    """A linear map from figures to pixels: `low` lies at `start`, `high` at `end`."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """The place of `value` in pixels."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round figures from `low` to `high` in steps of 1, 2, 2.5 or 5 times a power of ten, at most `most` of them."""
    if not (math.isfinite(low) and math.isfinite(high) and high > low) or most < 2:
        return []
    power = 10.0 ** math.floor(math.log10((high - low) / most))
    for step in (power * factor for factor in (1, 2, 2.5, 5, 10, 20, 25)):
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first < most:
            return [round(i * step, 12 - math.floor(math.log10(step))) for i in range(first, last + 1)]
    return []


def _px(value: float) -> str:
    """A coordinate to a tenth of a pixel, in as few characters as that takes."""
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def _escaped(text: str) -> str:
    """Text that is neither markup nor control character."""
    return html.escape(plaintext.printable(text), quote=False)


def _outline(corners: Sequence[tuple[float, float]], x: float, y: float, half: float) -> str:
    return "M" + "L".join(f"{_px(x + half * dx)} {_px(y + half * dy)}" for dx, dy in corners)


@dataclass
class Canvas:
    """A picture of `width` x `height` pixels; `element` gives it as text to put into a page."""

    height: float
    width: float = WIDTH
    _parts: list[str] = field(default_factory=list, init=False, repr=False)

    def line(self, x1: float, y1: float, x2: float, y2: float, colour: str, width: float = 1, dash: str = "") -> None:
        """A straight line; `dash` is a pattern such as "4 3"."""
        self._stroke(f"M{_px(x1)} {_px(y1)}L{_px(x2)} {_px(y2)}", colour, width, dash, 1)

    def curve(
        self,
        points: Iterable[tuple[float, float] | None],
        colour: str,
        width: float = 1,
        *,
        dash: str = "",
        opacity: float = 1,
    ) -> None:
        """A line through points; None is a gap."""
        path, joined = [], False
        for point in points:
            if point is not None:
                path.append(f"{'L' if joined else 'M'}{_px(point[0])} {_px(point[1])}")
            joined = point is not None
        self._stroke("".join(path), colour, width, dash, opacity)

    def dots(self, points: Iterable[tuple[float, float]], colour: str, size: float, opacity: float = 1) -> None:
        """Round dots of one colour: a line of no length with round ends is one, at a tenth of a circle's bytes."""
        path = "".join(f"M{_px(x)} {_px(y)}h0" for x, y in points)
        self._stroke(path, colour, size, "", opacity, ' stroke-linecap="round"')

    def box(self, x1: float, y1: float, x2: float, y2: float, colour: str, opacity: float, edge: bool = False) -> None:
        """A filled rectangle, with an edge of the same colour where asked for."""
        left, right = sorted((x1, x2))
        stroke = f' stroke="{colour}"' if edge else ""
        self._parts.append(
            f'<rect x="{_px(left)}" y="{_px(y1)}" width="{_px(right - left)}" height="{_px(y2 - y1)}" '
            f'fill="{colour}" fill-opacity="{opacity:g}"{stroke}/>'
        )

    def markers(
        self, shape: str, places: Iterable[tuple[float, float]], size: float, colour: str, hollow: bool = False
    ) -> None:
        """Markers of about `size` pixels across, in one path: a name of `MARKERS`, "left" or "right"."""
        if shape == "circle":
            self.dots(places, colour, size)
            return
        end = "" if shape in _OPEN else "z"
        path = "".join(_outline(corners, x, y, size / 2) + end for x, y in places for corners in _SHAPES[shape])
        if hollow or shape in _OPEN:
            self._stroke(path, colour, 1.6, "", 1)
        elif path:
            self._parts.append(f'<path d="{path}" fill="{colour}"/>')

    def text(self, x: float, y: float, words: str, colour: str, size: int = FONT, *, anchor: str = "") -> None:
        """Words with their baseline at `y`; `anchor` is "middle" or "end"."""
        extra = f' text-anchor="{anchor}"' if anchor else ""
        start = f'<text x="{_px(x)}" y="{_px(y)}" fill="{colour}" font-size="{size}"{extra}>'
        self._parts.append(f"{start}{_escaped(words)}</text>")

    def phrases(self, x: float, y: float, parts: Iterable[tuple[str, str, bool]]) -> None:
        """Words in several colours one after the other, as (words, colour, bold)."""
        spans = "".join(
            f'<tspan fill="{colour}" font-weight="{600 if bold else 400}">{_escaped(phrase)} </tspan>'
            for phrase, colour, bold in parts
        )
        self._parts.append(f'<text x="{_px(x)}" y="{_px(y)}" font-size="{FONT}">{spans}</text>')

    def axis(
        self, scale: Scale, y: float, shown: Callable[[float], str], *, above: bool = False, whole: bool = False
    ) -> None:
        """A horizontal axis at height `y` with round figures below it, or above; `whole` ones only, where counted."""
        shown_at = [value for value in ticks(scale.low, scale.high) if not whole or value.is_integer()]
        marks = "".join(f"M{_px(scale(value))} {_px(y)}v{-3 if above else 3}" for value in shown_at)
        self._stroke(f"M{_px(scale.start)} {_px(y)}H{_px(scale.end)}{marks}", GRID, 1, "", 1)
        self.labels([(scale(v), y + (-7 if above else 15), shown(v)) for v in shown_at], "middle")

    def labels(self, words: Iterable[tuple[float, float, str]], anchor: str) -> None:
        """Small words along an axis, each with the place it is anchored at."""
        texts = "".join(f'<text x="{_px(x)}" y="{_px(y)}">{_escaped(text)}</text>' for x, y, text in words)
        self._parts.append(f'<g fill="{MUTED}" font-size="{SMALL}" text-anchor="{anchor}">{texts}</g>')

    def element(self, label: str) -> str:
        """The picture as one `<svg>` element that a screen reader reads as `label`."""
        name = html.escape(plaintext.printable(label), quote=True)
        head = f'<svg viewBox="0 0 {_px(self.width)} {_px(self.height)}" role="img" fill="none" aria-label="{name}">'
        return head + "".join(self._parts) + "</svg>"

    def _stroke(self, path: str, colour: str, width: float, dash: str, opacity: float, extra: str = "") -> None:
        if not path:
            return
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        faint = f' opacity="{opacity:g}"' if opacity < 1 else ""
        self._parts.append(f'<path d="{path}" stroke="{colour}" stroke-width="{width:g}"{dashed}{faint}{extra}/>')


def spread(count: int, half: float) -> Sequence[float]:
    """Offsets that keep dots of one row apart: a fixed zigzag, since the same run must give the same picture."""
    return [half * (((i * 5) % 7) / 3 - 1) for i in range(count)]
