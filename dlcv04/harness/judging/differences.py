"""Naming a fault: what defines an arm and differs from the stored one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dlcv04.harness.machine.gpu import slowdowns, throttle_reasons
from dlcv04.harness.store.schema import Arm, LayerRow

#: Clocks that differ by less, as a share, are called the same: they move in steps of about 1 %.
CLOCK_TOLERANCE = 0.02


EXACT_FIGURES = ("parameters", "macs", "weight_bytes", "optimizer_bytes", "activation_bytes")


def differences(new: Arm, old: Arm) -> list[str]:
    """What defines the arm and differs from the stored one: facts, exact figures, layers. Old -> new."""
    found = declared_changes(new, old)
    resolved_old, resolved_new = _settings(old, "optimizer"), _settings(new, "optimizer")
    found += _changes("optimizer", _unnumbered(resolved_old), _unnumbered(resolved_new))
    found += exact_changes(new, old)
    old_layers, new_layers = [_layer(row) for row in old.layers], [_layer(row) for row in new.layers]
    if old_layers and new_layers and old_layers != new_layers:
        found.append(f"layers {' '.join(old_layers)} -> {' '.join(new_layers)}")
    return found


def clock_changes(new: Arm, old: Arm) -> list[str]:
    """What slowed a GPU's clocks in one of the two processes alone, and clocks that differ: a card's own reasons.

    Empty where one of them read no GPU.
    """
    if "gpu sm mhz" not in new.clocks or "gpu sm mhz" not in old.clocks:
        return []
    now, then = (", ".join(throttle_reasons(arm.clocks)) or "no" for arm in (new, old))
    found = [] if now == then else [f"GPU throttled {then} -> {now}"]
    speed, before = new.clocks["gpu sm mhz"], old.clocks["gpu sm mhz"]
    if abs(speed - before) > CLOCK_TOLERANCE * before:
        found.append(f"GPU clock {before:,.0f} -> {speed:,.0f} MHz")
    return found


def new_slowdowns(new: Iterable[Arm], old: Iterable[Arm]) -> list[str]:
    """Heat and missing power that slowed a card in these processes, and in none of the stored ones."""
    known = {name for arm in old for name in slowdowns(arm.clocks)}
    return [name for name in dict.fromkeys(name for arm in new for name in slowdowns(arm.clocks)) if name not in known]


def environment_changes(new: dict[str, str], old: dict[str, str]) -> dict[str, str]:
    """Versions and settings that differ, by name, as "keras 3.15.0 -> 3.15.1".

    Named are those that both runs recorded, and environment variables (in capitals) that only one of both set.
    """
    names = [name for name in {**old, **new} if name.isupper() or (name in old and name in new)]
    values = {name: (old.get(name, "unset"), new.get(name, "unset")) for name in names}
    return {name: f"{name} {before} -> {now}" for name, (before, now) in values.items() if before != now}


def _unnumbered(optimizer: dict[str, Any]) -> dict[str, Any]:
    """Without the name that Keras numbers by how many were made before."""
    return {name: value for name, value in optimizer.items() if name != "name"}


def _layer(row: LayerRow) -> str:
    return f"{row.kind}{tuple(row.output_shape)}"


def exact_changes(new: Arm, old: Arm) -> list[str]:
    """Integer figures that both arms have and that differ, as "parameters 600,810 -> 600,811"."""
    return [
        f"{name} {getattr(old, name):,} -> {getattr(new, name):,}"
        for name in EXACT_FIGURES
        if getattr(old, name) is not None and getattr(new, name) not in (None, getattr(old, name))
    ]


def declared_changes(new: Arm, old: Arm) -> list[str]:
    """Changes of what the test declares: the network's description and the recipe."""
    changed = [] if new.network == old.network else [f"network {old.network} -> {new.network}"]
    return changed + _changes("recipe", _settings(old, "recipe"), _settings(new, "recipe"))


def _settings(arm: Arm, what: str) -> dict[str, Any]:
    """A fact that is a dict of settings; {} where an arm of somebody else's says something of another form."""
    found = arm.facts.get(what)
    return found if isinstance(found, dict) else {}


def _changes(what: str, old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    names = sorted(old.keys() | new.keys()) if old and new else []
    return [f"{what}.{n} {old.get(n)!r} -> {new.get(n)!r}" for n in names if old.get(n) != new.get(n)]
