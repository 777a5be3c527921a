"""The backend's door: facts, device, determinism, memory, barrier, calibrator. Runs on whatever KERAS_BACKEND says."""

import dataclasses
import functools
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace as NS

import numpy as np
import pytest
import threadpoolctl

from dlcv04 import backends, seeding, workbench
from dlcv04.backends import jax, keras, tensorflow, torch

ROOT = Path(__file__).resolve().parent.parent.parent


def test_facts_are_resolved_plain_values() -> None:
    facts = backends.facts()
    assert facts.backend == keras.config.backend()
    assert facts.keras_version == keras.__version__
    assert facts.jit is (facts.backend == "jax" or (facts.backend == "tensorflow" and facts.device == "gpu"))
    assert (facts.dtype_policy, facts.image_data_format) == ("float32", "channels_last")
    assert facts.threads >= 1
    assert facts.device_name
    assert json.loads(json.dumps(dataclasses.asdict(facts))) == dataclasses.asdict(facts)


def test_deterministic_is_switched_back_off_even_after_an_error() -> None:
    before = backends.is_deterministic()
    inside = before if backends.name() == "jax" and backends.has_gpu() else True  # there it is a flag of the process
    with backends.deterministic():
        assert backends.is_deterministic() is backends.facts().deterministic is inside
        with backends.deterministic():
            pass
        assert backends.is_deterministic() is inside
    assert backends.is_deterministic() is before
    with pytest.raises(ZeroDivisionError), backends.deterministic():
        _ = 1 / 0
    assert backends.is_deterministic() is before


@pytest.mark.skipif(bool(os.environ.get("CUDA_VISIBLE_DEVICES")), reason="a GPU may be there")
def test_gpu_without_a_gpu_is_an_error() -> None:
    if backends.has_gpu():
        pytest.skip("this machine has a GPU")
    with pytest.raises(backends.DeviceError, match="finds no GPU") as caught:
        backends.select_device("gpu")
    assert "\n" not in str(caught.value)


def test_cpu_and_auto() -> None:
    if backends.has_gpu():
        pytest.skip("this machine has a GPU")
    assert backends.select_device("auto") == backends.select_device("cpu") == "cpu"


class FakeCard:
    """TensorFlow, JAX or PyTorch on a machine with one GPU: as much of them as the device's door asks."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, framework: str, *, tf32: bool = True, cards: int = 1) -> None:
        self.started, self.waited = False, 0
        self.visible, self.tf32 = [NS(device_type="GPU", number=number) for number in range(cards)], tf32
        self.grows: list[int] = []
        self.updated: dict[str, str] = {}
        self.threads = 0
        self.deterministic = False
        # Each fake is settled anew, as in a process of its own.
        monkeypatch.setattr(backends, "_made", functools.cache(backends._made.__wrapped__))
        details = {"device_name": "NVIDIA H100 80GB HBM3"}
        memory = {"peak": 5_000_000, "peak_bytes_in_use": 5_000_000}
        config = NS(
            get_visible_devices=lambda kind: self.visible,
            set_visible_devices=self.hide,
            threading=NS(get_intra_op_parallelism_threads=lambda: 3),
            experimental=NS(
                get_device_details=lambda device: details,
                get_memory_info=lambda name: memory,
                reset_memory_stats=lambda name: memory.update(peak=1_000_000),
                set_memory_growth=self.grow,
                enable_op_determinism=lambda: setattr(self, "deterministic", True),
                tensor_float_32_execution_enabled=lambda: self.tf32,
            ),
        )
        card = NS(device_kind="NVIDIA H100 80GB HBM3", memory_stats=lambda: memory)
        monkeypatch.setattr(tensorflow, "tf", NS(__version__="2.21.0", config=config))
        monkeypatch.setattr(
            jax,
            "jax",
            NS(
                __version__="0.8",
                default_backend=lambda: "gpu" if self.visible else "cpu",
                devices=lambda: [card],
                config=NS(
                    values={"jax_cuda_visible_devices": "all"},
                    update=self.update,
                    jax_default_matmul_precision=None if self.tf32 else "highest",
                ),
            ),
        )
        monkeypatch.setattr(
            torch,
            "torch",
            NS(
                __version__="2.13.0",
                cuda=NS(
                    is_available=lambda: bool(self.visible),
                    get_device_name=lambda: "NVIDIA H100 80GB HBM3",
                    max_memory_allocated=lambda: memory["peak"],
                ),
                backends=NS(cuda=NS(matmul=NS(allow_tf32=False)), cudnn=NS(allow_tf32=self.tf32)),
                set_num_threads=lambda count: setattr(self, "threads", count),
                get_num_threads=lambda: self.threads,
                are_deterministic_algorithms_enabled=lambda: self.deterministic,
                use_deterministic_algorithms=lambda mode: setattr(self, "deterministic", mode),
            ),
        )
        monkeypatch.setattr(keras.config, "backend", lambda: framework)
        monkeypatch.setattr(
            tensorflow,
            "_config",
            lambda: NS(
                is_op_determinism_enabled=lambda: self.deterministic,
                disable_op_determinism=lambda: setattr(self, "deterministic", False),
            ),
        )

    def grow(self, card: NS, enable: bool) -> None:
        if self.started:
            raise RuntimeError("Physical devices cannot be modified after being initialized")
        self.grows += [card.number] if enable else []

    def update(self, name: str, value: str) -> None:
        self.updated[name] = value
        if name == "jax_platforms":
            self.hide([], "GPU")

    def hide(self, devices: list[object] | object, kind: str) -> None:
        if self.started:
            raise RuntimeError("Visible devices cannot be modified after being initialized")
        self.visible = devices if isinstance(devices, list) else [devices]


@pytest.mark.parametrize("framework", backends.SUPPORTED)
class TestOnAFakedCard:
    @pytest.mark.parametrize("asked", ["auto", "gpu"])
    def test_it_is_chosen_and_described(
        self, monkeypatch: pytest.MonkeyPatch, framework: str, asked: backends.Device
    ) -> None:
        FakeCard(monkeypatch, framework)
        assert backends.select_device(asked) == "gpu"
        facts = backends.facts()
        assert (facts.device, facts.device_name) == ("gpu", "NVIDIA H100 80GB HBM3")
        assert facts.jit is (framework != "torch")
        assert facts.threads >= 1 and not facts.deterministic

    def test_deterministic_operations_go_without_xla_on_tensorflow(
        self, monkeypatch: pytest.MonkeyPatch, framework: str
    ) -> None:
        """Together they have no gradient of max pooling; Keras's `fit` leaves XLA out, too."""
        FakeCard(monkeypatch, framework)
        with backends.deterministic():
            assert backends.facts().jit is backends.resolved_jit() is (framework == "jax")
        assert backends.facts().jit is backends.resolved_jit() is (framework != "torch")

    def test_learning_is_keyed_by_the_setting_that_it_was_computed_with(
        self, monkeypatch: pytest.MonkeyPatch, framework: str
    ) -> None:
        FakeCard(monkeypatch, framework)
        bench = workbench.Workbench(NS(), "gpu", None, of_times={"tf32": "true"})  # type: ignore[arg-type]
        learner = workbench.Learner(NS(), bench, {}, NS(), print, None)  # type: ignore[arg-type]
        on_card = {"tf32": "true"} | ({"jit": "false"} if framework == "tensorflow" else {})
        assert learner.settings == on_card
        learner.pool = NS()  # type: ignore[assignment]
        assert learner.settings == on_card  # a Ray task has a card of its own
        bench.device = "cpu"
        assert learner.settings == {"threads": "1"}

    def test_one_card_is_taken_and_of_its_memory_what_is_used(
        self, monkeypatch: pytest.MonkeyPatch, framework: str
    ) -> None:
        card = FakeCard(monkeypatch, framework, cards=3)
        assert backends.select_device("gpu") == "gpu"
        if framework == "jax":
            assert card.updated == {"jax_cuda_visible_devices": "0"}
        elif framework == "tensorflow":  # PyTorch takes one anyway
            assert ([one.number for one in card.visible], card.grows) == ([0], [0])

    def test_what_has_started_is_left_as_it_is(self, monkeypatch: pytest.MonkeyPatch, framework: str) -> None:
        card = FakeCard(monkeypatch, framework, cards=3)
        card.started = True
        jax.jax.config.values["jax_cuda_visible_devices"] = "1"
        assert backends.select_device("gpu") == "gpu"
        assert (len(card.visible), card.grows, card.updated) == (3, [], {})

    def test_the_card_is_settled_before_a_model_is_drawn(self, monkeypatch: pytest.MonkeyPatch, framework: str) -> None:
        """A model's first variable starts the framework."""
        card, seen = FakeCard(monkeypatch, framework, cards=2), []
        look = lambda seed: seen.append(card.grows or card.updated or card.threads)  # noqa: E731
        monkeypatch.setattr(keras.utils, "set_random_seed", look)
        with seeding.seeded(1):
            assert seen[0]

    @pytest.mark.parametrize("tf32", [True, False])
    def test_whether_it_rounds_to_tf32_is_known(
        self, monkeypatch: pytest.MonkeyPatch, framework: str, tf32: bool
    ) -> None:
        FakeCard(monkeypatch, framework, tf32=tf32)
        assert backends.facts().tf32 is tf32

    def test_its_times_are_absolute_and_its_memory_is_its_own(
        self, monkeypatch: pytest.MonkeyPatch, framework: str
    ) -> None:
        FakeCard(monkeypatch, framework)
        assert backends.calibrator() is None
        assert backends.peak_memory_bytes() == 5_000_000

    def test_the_cpu_can_be_chosen_until_the_framework_has_started(
        self, monkeypatch: pytest.MonkeyPatch, framework: str
    ) -> None:
        FakeCard(monkeypatch, framework)
        if framework == "torch":
            with pytest.raises(backends.DeviceError, match="hide it with CUDA_VISIBLE_DEVICES= before the start"):
                backends.select_device("cpu")
            return
        assert backends.select_device("cpu") == "cpu"
        assert backends.calibrator() is not None
        assert not backends.has_gpu() and backends.device_name() != "NVIDIA H100 80GB HBM3"

    def test_a_framework_that_sees_no_card_is_an_error(self, monkeypatch: pytest.MonkeyPatch, framework: str) -> None:
        FakeCard(monkeypatch, framework).visible = []
        with pytest.raises(backends.DeviceError, match=f"{framework} finds no GPU on this machine: install"):
            backends.select_device("gpu")


def test_the_cpu_after_a_start_on_the_card_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    FakeCard(monkeypatch, "tensorflow").started = True
    with pytest.raises(backends.DeviceError, match="already started on the GPU: choose the CPU in a fresh process"):
        backends.select_device("cpu")


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("--xla_gpu_deterministic_ops=true", True),
        ("--xla_dump_to=/x --xla_gpu_deterministic_ops --xla_y=1", True),
        ("--xla_gpu_deterministic_ops=1", True),
        ("--xla_gpu_deterministic_ops=false", False),
        ("--xla_gpu_deterministic_ops_other=true", False),
        ("", False),
    ],
)
def test_determinism_of_jax_on_a_card_is_its_flag(monkeypatch: pytest.MonkeyPatch, flags: str, expected: bool) -> None:
    FakeCard(monkeypatch, "jax")
    monkeypatch.setenv("XLA_FLAGS", flags)
    assert backends.is_deterministic() is expected


def test_unknown_device() -> None:
    with pytest.raises(backends.DeviceError, match="auto, cpu or gpu"):
        backends.select_device("tpu")  # type: ignore[arg-type]


def test_unsupported_backend_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras.config, "backend", lambda: "numpy")
    with pytest.raises(
        backends.BackendError, match="trains nothing here: set KERAS_BACKEND to tensorflow, jax or torch"
    ):
        backends.facts()


def test_peak_memory_sees_an_allocation_and_never_falls() -> None:
    if backends.has_gpu():
        pytest.skip("the GPU's memory is counted here")
    before = backends.peak_memory_bytes()
    # More than this process has ever freed, so that it must be new.
    block = np.ones(before // 8 + (64 << 17), np.float64)
    peak = backends.peak_memory_bytes()
    assert peak > before + (32 << 20)
    del block
    assert backends.peak_memory_bytes() > peak - (1 << 20)


def test_barrier_waits() -> None:
    matrix = keras.ops.ones((1500, 1500))
    np.asarray(keras.ops.matmul(matrix, matrix))  # first use of the kernel, and of the way back to the host
    product = matrix
    backends.barrier()
    start = time.perf_counter()
    for _ in range(5000 if backends.has_gpu() else 10):  # the way back from a card takes 15 ms, a product 0.02
        product = keras.ops.matmul(product, matrix)
    backends.barrier()
    waited = time.perf_counter() - start
    start = time.perf_counter()
    np.asarray(product)
    assert time.perf_counter() - start < waited / 2


def cpu_calibrator() -> backends.Calibrator:
    found = backends.calibrator()
    if found is None:
        pytest.skip("this machine has a GPU, whose times need no calibrator")
    return found


def test_calibrator_does_the_same_work_each_time() -> None:
    work = cpu_calibrator().run
    work()
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    assert 0.002 < min(seconds) < 1.0


def burnt_while_asleep(work: Callable[[], object]) -> float:
    """CPU seconds that this process spends in the 50 ms after `work` has returned."""
    work()
    before = time.process_time()
    time.sleep(0.05)
    return time.process_time() - before


def test_the_calibrator_leaves_no_thread_spinning_beside_the_next_arm() -> None:
    run = cpu_calibrator().run
    assert min(burnt_while_asleep(run) for _ in range(5)) < 0.005


def test_a_product_on_openblas_threads_does_leave_one_spinning() -> None:
    """What the calibrator avoids, and the check above sees: it made the arms after it 1.8 times as slow."""
    blas = [lib for lib in threadpoolctl.threadpool_info() if lib["internal_api"] == "openblas"]
    if not any(lib["num_threads"] > 1 and lib["threading_layer"] == "pthreads" for lib in blas):
        pytest.skip("NumPy's BLAS here has no threads of its own")
    matrix = np.ones((768, 768), np.float32)
    assert max(burnt_while_asleep(lambda: matrix @ matrix) for _ in range(5)) > 0.005


@pytest.mark.parametrize("given", [None, "1"])
@pytest.mark.parametrize(
    ("name", "ours"),
    [("TF_CPP_MIN_LOG_LEVEL", "3"), ("XLA_PYTHON_CLIENT_PREALLOCATE", "false"), ("OMP_WAIT_POLICY", "passive")],
)
def test_what_the_user_set_for_the_framework_wins(name: str, ours: str, given: str | None) -> None:
    env = {other: value for other, value in os.environ.items() if other != name}
    env |= {"PYTHONPATH": str(ROOT)} | ({name: given} if given else {})
    code = f"import os, dlcv04.networks; print(os.environ['{name}'])"
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == (given or ours)


def test_runs_on_others_never_import_tensorflow() -> None:
    if backends.name() == "tensorflow":
        pytest.skip("needs KERAS_BACKEND=jax or torch")
    backends.facts()
    assert "tensorflow" not in sys.modules


def test_a_frameworks_barrier_by_its_name_is_that_of_keras_where_it_is_keras_own(monkeypatch) -> None:
    waited: list[str] = []
    own = type(backends._backend())
    monkeypatch.setattr(own, "barrier", lambda self: waited.append(self.name))
    backends.barrier_of(backends.name())()
    backends.barrier()
    assert waited == [backends.name()] * 2
