"""Numbers and names as people read them: `1.62 [1.55, 1.70]`, `2.40 MB`, `18.2 s`, `+0.51 points`.

Pure functions from stored figures to text; every renderer uses these, so that one figure reads the same everywhere.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime

from dlcv04 import plaintext
from dlcv04.harness.store.schema import Assertion, Comparison

ABSENT = "–"
_COUNT_UNITS = {"count", "", "difference", "deviation"}
#: The folders of a path that a sentence ends in, or that a comma ends.
_FOLDERS = re.compile(r"from (?:[A-Za-z]:)?[/\\][^,;]*[/\\]")
#: Units of levels that are shares of one.
_SHARES = {"points", "fraction", "accuracy"}
#: Units of exact figures: a comparison in one of them shows plain numbers, whatever else its metric's name says.
_EXACT_UNITS = {"parameters", "macs", "MACs", "count", "layers", "epochs"}


def is_number(value: float | None) -> bool:
    """Whether `value` is a finite number."""
    return value is not None and math.isfinite(value)


def number(value: float | None) -> str:
    """A plain figure with four useful digits: `600,810`, `0.9892`, `1.62`; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return ABSENT
    size = abs(value)
    if float(value).is_integer() or size >= 1000:
        return f"{value:,.0f}"
    if size < 0.001:
        return f"{value:.2g}"
    decimals = 4 if size < 1 else 3 if size < 10 else 2 if size < 100 else 1
    return f"{value:,.{decimals}f}".rstrip("0").rstrip(".")


def seconds(value: float | None) -> str:
    """A duration in seconds with sensible digits: `85 ms`, `1.62 s`, `18.2 s`, `2 min 05 s`, `1 h 12 min`."""
    if value is None or not math.isfinite(value):
        return ABSENT
    if 0 < abs(value) < 0.1:
        return f"{value * 1000:.3g} ms"
    if abs(value) < 10:
        return f"{value:.2f} s"
    if abs(value) < 119.95:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def data_size(value: float | None) -> str:
    """A number of bytes in decimal units: `2.40 MB`."""
    if value is None or not math.isfinite(value):
        return ABSENT
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if abs(value) >= size:
            scaled = value / size
            return f"{scaled:.{2 if abs(scaled) < 100 else 0}f} {unit}"
    return f"{value:.0f} B"


def fraction(value: float | None) -> str:
    """An accuracy or another share of one, with four decimals: `0.9892`."""
    return ABSENT if value is None or not math.isfinite(value) else f"{value:.4f}"


def fingerprint(value: str) -> str:
    """The first twelve characters of a hash, enough to tell two data sets apart."""
    return value.removeprefix("sha256:")[:12] if value else ABSENT


def provenance(kind: str, words: str) -> str:
    """Where data come from, for people elsewhere: `real MNIST, from mnist.npz`, without the folders of a machine."""
    named = words if words.startswith(kind) else f"{kind}, {words}"
    return _FOLDERS.sub("from ", named)


def moment(value: str) -> str:
    """An ISO date as `2026-01-31 23:40 UTC`; any other text unchanged."""
    try:
        when = datetime.fromisoformat(value)
    except ValueError:
        return value
    if when.tzinfo is None:
        return f"{when:%Y-%m-%d %H:%M}"
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def plural(count: int, singular: str, plural: str = "") -> str:
    """`1 claim`, `2 claims`."""
    return f"{count:,} {singular if count == 1 else plural or singular + 's'}"


def shorten(text: str, width: int) -> str:
    """`text` on one line, cut with an ellipsis beyond `width` characters."""
    line = " ".join(plaintext.printable(text).split())
    return line if len(line) <= width else line[: max(width - 1, 0)].rstrip() + "…"


def metric_name(metric: str) -> str:
    """A metric's stored name for people: `epoch_seconds` becomes `epoch seconds`."""
    return metric.replace("_", " ")


def count_name(what: str) -> str:
    """The stored name of a network's count for people: `weight_bytes` becomes `weight bytes`, `macs` `MACs`."""
    return metric_name(what).replace("macs", "MACs")


def count(what: str, value: float | None) -> str:
    """A network's count, bytes as a size of data."""
    return data_size(value) if what.endswith("bytes") else number(value)


def metric_value(metric: str, unit: str, value: float | None) -> str:
    """One side of a comparison in the unit its metric's name implies."""
    name = metric.lower()
    if unit in _EXACT_UNITS and "byte" not in name.split(" (")[0]:
        return number(value)
    if "byte" in name or "memory" in name or unit == "bytes":
        return data_size(value)
    if "accuracy" in name or unit == "points":
        return fraction(value)
    if "second" in name or "time" in name or unit == "ratio":
        return seconds(value)
    return number(value)


def _decimals(unit: str, values: list[float]) -> int:
    """Decimals that keep the ends of a narrow interval apart, the same for all figures of one effect."""
    scale = 100 if unit == "points" else 1
    known = [v * scale for v in values]
    spread = max(known) - min(known) if len(known) > 1 else 0.0
    return 3 if 0 < spread < 0.02 else 2


def in_unit(value: float | None, unit: str, *, level: bool = False, decimals: int = 2, bare: bool = False) -> str:
    """One figure of an effect in its unit; `bare` leaves the unit's word out, for use inside brackets."""
    if value is None or not math.isfinite(value):
        return ABSENT
    if level and unit in _SHARES:
        return fraction(value)
    if unit == "ratio":
        return f"{value:.{decimals}f}"
    if unit == "points":
        text = f"{value * 100:+.{decimals}f}"
        return text if bare else f"{text} points"
    if unit == "bytes":
        return data_size(value)
    if unit in {"seconds", "s"}:
        return seconds(value)
    return number(value) if bare or unit in _COUNT_UNITS else f"{number(value)} {unit}"


def interval(effect: float | None, low: float | None, high: float | None, unit: str, *, level: bool = False) -> str:
    """An effect with its interval: `1.62 [1.55, 1.70]`, an open end as infinity, no brackets where there is none."""
    if not is_number(effect):
        return "not measured"
    low, high = _within_range(low, high, unit, level)
    known = [v for v in (effect, low, high) if v is not None and math.isfinite(v)]
    decimals = _decimals(unit, known)
    middle = in_unit(effect, unit, level=level, decimals=decimals)
    if (low is None and high is None) or low == high == effect:
        return middle
    left = f"[{in_unit(low, unit, level=level, decimals=decimals, bare=True)}" if is_number(low) else "(−∞"
    right = f"{in_unit(high, unit, level=level, decimals=decimals, bare=True)}]" if is_number(high) else "∞)"
    return f"{middle} {left}, {right}"


def _within_range(low: float | None, high: float | None, unit: str, level: bool) -> tuple[float | None, float | None]:
    """Bounds that a share, or a difference of two, can have: an approximate interval may end beyond them."""
    if low is None and high is None:
        return low, high
    if level and unit in _SHARES:
        return max(low or 0.0, 0.0), min(1.0 if high is None else high, 1.0)
    if unit == "points":
        return None if low is None else max(low, -1.0), None if high is None else min(high, 1.0)
    return low, high


def assertion_effect(assertion: Assertion) -> str:
    """The effect of an assertion with its interval."""
    a = assertion
    return interval(a.effect, a.low, a.high, a.unit, level=a.kind == "LEVEL")


def assertion_margin(assertion: Assertion) -> str:
    """The margin of an assertion in its own unit; an equivalence margin reads `±`."""
    bare = assertion.kind == "EXACT"
    text = in_unit(assertion.margin, assertion.unit, level=assertion.kind == "LEVEL", bare=bare)
    return "±" + text.lstrip("+−-") if assertion.kind == "EQUIVALENT" and assertion.unit != "ratio" else text


def assertion_limit(assertion: Assertion) -> str:
    """The margin with what it is called: `margin 1.10`, `at least 0.9700`, `tolerance 0.00001`."""
    return f"{limit_name(assertion)} {assertion_margin(assertion)}"


def limit_name(assertion: Assertion) -> str:
    """What the margin is called: an exact count has an expected value, an identity a tolerance, a level a floor."""
    if assertion.kind == "EXACT" and assertion.unit != "ratio":
        return {"<": "less than", ">=": "at least"}.get(assertion.relation, "expected")
    if assertion.kind == "PAIRED" and assertion.relation == "<":
        return "less than"
    return {"LEVEL": "at least", "IDENTITY": "tolerance"}.get(assertion.kind, "margin")


def detectable(assertion: Assertion) -> str:
    """The minimum detectable effect; exact figures and identities show any difference."""
    if assertion.kind == "EXACT":
        return "any difference"
    if assertion.kind == "IDENTITY":
        return "the tolerance"
    # A level's is a distance from the level, in the unit of differences.
    return in_unit(assertion.minimum_detectable_effect, assertion.unit).lstrip("+")


def comparison_effect(comparison: Comparison) -> str:
    """The effect of a comparison with its interval, a dash where nothing was compared."""
    c = comparison
    return interval(c.effect, c.low, c.high, c.unit) if is_number(c.effect) else ABSENT
