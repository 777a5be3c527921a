"""``dlcv04 doctor``: what was found on this machine, and what to do about the rest."""

from __future__ import annotations

import os
from pathlib import Path

from dlcv04.commands.speech import say, stop


def doctor() -> None:
    """Say what was found on this machine, and how to get the rest.

    Looks for device, framework, data and baselines. Exit 1: something is broken, not merely absent.
    """
    from dlcv04.harness.machine import facts

    device = facts.chosen_device("auto")
    machine = facts.machine_class(device, facts.hardware())
    say(f"device: {device}, machine class {machine}")
    if unused := facts.unused_gpu("auto"):
        say(f"  {unused}")
    _tell_of_cards()
    broken = [*_framework(), *_data(), *_baselines(machine), *_disk()]
    for sentence in broken:
        say(f"  {sentence}")
    if broken:
        stop(f"{len(broken)} of these must be mended.", 1)


def _tell_of_cards() -> None:
    """Say what the driver knows of the visible cards, and what would make their times steadier."""
    from dlcv04.harness.machine import gpu

    for card in gpu.gpus():
        say(f"card: {card.model}{card.mig and f', slice {card.mig}'}, driver {card.driver}")
    if not gpu.gpu_present():
        return
    for name in gpu.neighbours():
        say(f"  {name} is on the card: times beside it prove nothing")
    persistent = gpu.is_persistent()
    if persistent is False:
        say("  persistence mode is off: `sudo nvidia-smi -pm 1` keeps the driver loaded between runs")
    # NVML has no question for locked clocks: it says so only while they hold a busy card back.
    if "application clocks" in gpu.chosen_clocks(gpu.gpu_state()):
        say("  its clocks are held by a setting (locked, or application clocks)")
    else:
        say("  its clocks are not held by a setting now: `sudo nvidia-smi -lgc <MHz>` locks them, `-rgc` frees them")


def _framework() -> list[str]:
    from importlib import metadata

    from dlcv04 import workbench

    backend = workbench.planned_key("cpu")["backend"]
    try:
        say(f"framework: Keras {metadata.version('keras')} on {backend} {metadata.version(backend)}")
    except metadata.PackageNotFoundError as error:
        return [f"{error.name} is not installed: `pip install {error.name}`, or set KERAS_BACKEND."]
    return []


def _data() -> list[str]:
    from dlcv04 import datasets

    folder = os.environ.get("DLCV04_DATA")
    if folder and not (Path(folder) / "mnist.npz").is_file():
        return [f"DLCV04_DATA={folder} has no mnist.npz: `dlcv04 fetch mnist --to {folder}`, or unset it."]
    try:
        data = datasets.load("mnist")
    except datasets.DataError as error:
        return [str(error)]
    say(f"data: {data.provenance}, fingerprint {data.fingerprint[:12]}")
    if data.kind != "real":
        say("  real MNIST: `dlcv04 fetch mnist`, or set DLCV04_DATA to a folder with mnist.npz")
    return [sentence for name in datasets.names() if name != "mnist" for sentence in _other_data(name)]


def _other_data(name: str) -> list[str]:
    """Reads a data set only where it is real: a drawn one can't be broken, and takes seconds to draw."""
    from dlcv04 import datasets

    try:
        datasets.where(name)
    except datasets.DataError as error:  # a place was named that is not there
        return [str(error)]
    try:
        datasets.where(name, "real")
    except datasets.DataError as lack:
        say(f"data: {datasets.where(name)}")
        say(f"  {lack}")
        return []
    try:
        data = datasets.load(name, "real")
    except datasets.DataError as error:
        return [str(error)]
    say(f"data: {data.provenance}, fingerprint {data.fingerprint[:12]}")
    return []


def _baselines(machine: str) -> list[str]:
    from dlcv04.harness.store import acceptance, baselines

    loaded = baselines.Store("baselines").load(machine_class=machine)
    span = acceptance.span(loaded.timing)
    say(f"baselines: {span.processes} timing processes on {span.days} days, {len(loaded.portable)} portable runs")
    lack = acceptance.enough_processes(loaded.timing)
    if lack:
        say(f"  {lack}")
    return [*loaded.problems, *_self_test(machine)]


def _self_test(machine: str) -> list[str]:
    from dlcv04 import workbench
    from dlcv04.harness.session import against
    from dlcv04.harness.store import selftests

    key = {"profile": "smoke", **workbench.planned_key("gpu" if machine.startswith("gpu") else "cpu")}
    try:
        spread = against.known_spread(Path("baselines"), machine, key)
    except selftests.SelfTestError as error:
        return [str(error)]
    say(f"--dl-against: between processes {spread.sd:.1%} on {spread.df:g} degrees of freedom ({spread.source})")
    return []


def _disk() -> list[str]:
    import psutil

    free = psutil.disk_usage(".").free
    say(f"disk: {free / 1e9:.1f} GB free here")
    return [] if free > 200e6 else ["Less than 0.2 GB is free: a run's files and its report may not fit."]
