"""``dlcv04 doctor``: what was found on this machine, and what to do about the rest."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from dlcv04.commands.options import DeviceName, ProfileName, Source
from dlcv04.commands.speech import project, say, stop
from dlcv04.harness.policy import Data


def doctor(
    device: DeviceName = "auto",
    data: Source = "auto",
    weights: Annotated[str, typer.Option(help="weights of VGG16 that must be here: hed, imagenet or a file")] = "",
    suite: Annotated[str, typer.Option(help="claims that must be able to run: a folder or a file")] = "",
    profile: ProfileName = "smoke",
) -> None:
    """Say what was found on this machine, and how to get the rest.

    Looks for device, framework, data and baselines. Exit 1: something is broken, or what was asked for is absent:
    --device gpu a card that the framework sees, --data real every data set (with --suite only those of its claims).
    """
    from dlcv04.harness.machine import facts

    chosen = facts.chosen_device(device)
    machine = facts.machine_class(chosen, facts.hardware())
    say(f"device: {chosen}, machine class {machine}")
    if unused := facts.unused_gpu(device):
        say(f"  {unused}")
    _tell_of_cards()
    broken = [*_framework(), *_sight(device), *_data(data, suite), *_weights(weights)]
    broken += [*_baselines(machine, suite), *_disk(), *_suite(suite, device, data, profile)]
    for sentence in broken:
        say(f"  {sentence}")
    if broken:
        stop(f"{len(broken)} of these must be fixed.", 1)


def _tell_of_cards() -> None:
    """Say what the driver knows of the visible cards, and what would make their times steadier."""
    from dlcv04.harness.machine import gpu

    for card in gpu.gpus():
        say(f"card: {card.model}{card.mig and f', slice {card.mig}'}, driver {card.driver}")
    if not gpu.gpu_present():
        return
    for name in gpu.neighbours():
        say(f"  {name} is on the card: times measured beside it prove nothing")
    persistent = gpu.is_persistent()
    if persistent is False:
        say("  persistence mode is off: `sudo nvidia-smi -pm 1` keeps the driver loaded between runs")
    # NVML has no question for locked clocks: it says so only while they hold a busy card back.
    if "application clocks" in gpu.chosen_clocks(gpu.gpu_state()):
        say("  its clocks are fixed by a setting (locked, or application clocks)")
    else:
        say("  its clocks are not fixed: `sudo nvidia-smi -lgc <MHz>` locks them, `-rgc` releases them")


def _framework() -> list[str]:
    from importlib import metadata

    from dlcv04 import missing, workbench

    if lack := missing.lack():
        return [lack]
    backend = workbench.planned_key("cpu")["backend"]
    try:
        say(f"framework: Keras {metadata.version('keras')} on {backend} {metadata.version(backend)}")
    except metadata.PackageNotFoundError:  # by another name, as tensorflow-cpu
        say(f"framework: Keras on {backend}, version unknown")
    return []


def _sight(device: str) -> list[str]:
    """Asks the framework itself, since a driver has cards that CPU wheels don't see; it takes seconds to start."""
    if device != "gpu":
        return []
    from dlcv04 import backends

    try:
        backends.select_device("gpu")
    except (backends.DeviceError, backends.BackendError) as error:
        return [str(error)]
    except ImportError:  # `_framework` has said so
        return []
    say(f"  {backends.name()} computes on it: {backends.device_name()}")
    return []


def _weights(asked: str) -> list[str]:
    if not asked:
        return []
    from dlcv04 import weights

    try:
        say(f"weights: {asked} from {weights.find(asked)}")
    except weights.WeightsError as error:
        return [str(error)]
    return []


def _suite(path: str, device: str, data: str, profile: str) -> list[str]:
    """Whether pytest takes these claims with these options: a claim's data may be its project's own."""
    if not path:
        return []
    import subprocess
    import sys

    options = [f"--dl-device={device}", f"--dl-data={data}", f"--dl-profile={profile}"]
    command = [sys.executable, "-m", "pytest", path, "--collect-only", "-q", *options]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", check=False)
    said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    if done.returncode == 0:
        say(f"claims: {path} can run")
        return []
    # pytest's usage error, the last thing it says, may have several lines.
    refused = [number for number, line in enumerate(said) if line.startswith("ERROR: ")]
    if refused:
        return [line.removeprefix("ERROR: ") for line in said[refused[0] :]]
    errors = [line.removeprefix("ERROR ") for line in said if line.startswith("ERROR ")] or said[-1:]
    return [f"{path} can't be collected: {line}" for line in errors]


def _data(source: Data, suite: str) -> list[str]:
    from dlcv04 import datasets

    return [sentence for name in datasets.names() for sentence in _data_set(name, source, suite)]


def _data_set(name: str, source: Data, suite: str) -> list[str]:
    """Reads a data set only where it is real: a drawn one can't be broken, and takes seconds to draw."""
    from dlcv04 import datasets

    if source == "embedded":
        say(f"data: {datasets.where(name, source)}")
        return []
    try:
        stand_in = datasets.where(name)
    except datasets.DataError as error:  # a place was named that is not there
        return [str(error)]
    try:
        datasets.where(name, "real")
    except datasets.DataError as lack:
        # A folder was named for data and has not the set that most claims take. What a suite needs it says itself.
        forgotten = name == "mnist" and bool(os.environ.get("DLCV04_DATA"))
        if not suite and (source == "real" or forgotten):
            return [str(lack)]
        say(f"data: {stand_in}")
        say(f"  {lack}")
        return []
    try:
        data = datasets.load(name, "real")
    except datasets.DataError as error:
        return [str(error)]
    say(f"data: {data.provenance}, fingerprint {data.fingerprint[:12]}")
    return []


def _baselines(machine: str, suite: str) -> list[str]:
    from dlcv04.harness.store import acceptance

    places = project(suite or "bench")
    loaded = places.store.load(machine_class=machine)
    span = acceptance.span(loaded.timing)
    say(f"baselines: {span.processes} timing processes on {span.days} days, {len(loaded.portable)} portable runs")
    lack = acceptance.enough_processes(loaded.timing)
    if lack:
        say(f"  {lack}")
    return [*loaded.problems, *_self_test(machine, places.baselines)]


def _self_test(machine: str, stored: Path) -> list[str]:
    from dlcv04 import workbench
    from dlcv04.harness.session import against
    from dlcv04.harness.store import selftests

    key = {"profile": "smoke", **workbench.planned_key("gpu" if machine.startswith("gpu") else "cpu")}
    try:
        spread = against.known_spread(stored, machine, key)
    except selftests.SelfTestError as error:
        return [str(error)]
    say(f"--dl-against: between processes {spread.sd:.1%} on {spread.df:g} degrees of freedom ({spread.source})")
    return []


def _disk() -> list[str]:
    import psutil

    free = psutil.disk_usage(".").free
    say(f"disk: {free / 1e9:.1f} GB free here")
    return [] if free > 200e6 else ["Less than 0.2 GB is free: a run's files and its report may not fit."]
