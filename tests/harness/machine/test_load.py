"""Clocks, stolen time and neighbours while a round runs."""

import os
import subprocess
import sys
import time

import psutil
import pytest

from dlcv04.harness.machine import gpu as machine_gpu
from dlcv04.harness.machine import load, probing
from tests.fakes import card


def test_the_meter_keeps_the_worst_reading_of_the_clocks(machine):
    meter = load.LoadMeter()
    for clock, celsius, bits in ((1980, 41, 0x1), (1410, 65, 0x4), (1755, 60, 0x20)):
        machine.has(card(sm_mhz=clock, celsius=celsius, throttle=bits))
        with meter.watching():
            pass
    found = meter.clocks
    assert (found["gpu sm mhz"], found["gpu max sm mhz"], found["gpu celsius"]) == (1410, 1980, 65)
    assert machine_gpu.throttle_reasons(found) == ["software power cap", "software thermal slowdown"]


def test_a_card_that_is_not_used_is_not_read(machine):
    for gpu in (True, False):
        meter = load.LoadMeter(gpu=gpu)
        with meter.watching():
            pass
        assert any(name.startswith("gpu") for name in meter.clocks) is gpu


def test_steal_is_the_share_between_two_snapshots(no_gpu, monkeypatch, tmp_path):
    monkeypatch.setattr(probing, "PROC", tmp_path)
    states = []
    for user, idle, steal in ((100, 100, 10), (160, 100, 50)):
        (tmp_path / "stat").write_text(f"cpu  {user} 0 0 {idle} 0 0 0 {steal} 7 7\ncpu0 1 1\n")
        states.append(load.hardware_state())
    assert load.steal_share(*states) == pytest.approx(0.4)
    assert load.steal_share(states[0], states[0]) is None
    assert load.steal_share({}, states[1]) is None


@pytest.mark.parametrize("stat", ["", "cpu", "cpu  1 2 x", "intr 1"])
def test_an_unreadable_proc_leaves_figures_out(no_gpu, monkeypatch, tmp_path, stat):
    monkeypatch.setattr(probing, "PROC", tmp_path)
    (tmp_path / "stat").write_text(stat)
    assert "cpu steal ticks" not in load.hardware_state()


def test_a_neighbour_is_metered_and_our_own_work_is_not(no_gpu):
    """Whatever else the machine does: others are all that was busy, less this process."""

    def busy():
        times = psutil.cpu_times()
        return sum(times) - times.idle - times.iowait - times.guest

    neighbour = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        theirs = psutil.Process(neighbour.pid)
        meter = load.LoadMeter()
        before, ours, took = busy(), sum(os.times()[:2]), sum(theirs.cpu_times()[:2])
        with meter.watching():
            end = time.perf_counter() + 1.5
            while time.perf_counter() < end:
                pass
        all_busy, own, took = busy() - before, sum(os.times()[:2]) - ours, sum(theirs.cpu_times()[:2]) - took
    finally:
        neighbour.kill()
        neighbour.wait()
    assert own > 0.3 and took > 0.3
    assert meter.others_seconds == pytest.approx(all_busy - own, abs=0.2)
    assert meter.others_seconds > 0.9 * took - 0.1
    assert meter.contention > 0
