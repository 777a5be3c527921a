"""A realistic run of Task 1 with every verdict in it, and five stored runs beside it. No clock, no randomness."""

from __future__ import annotations

import math
import random

import msgspec
import numpy as np

from dlcv04.harness.claims import pictures
from dlcv04.harness.store.schema import (
    Acceptance,
    Arm,
    Assertion,
    Claim,
    Commit,
    Comparison,
    DataRecord,
    Environment,
    EpochRow,
    LayerRow,
    Picture,
    Published,
    Run,
    SeedCurve,
)

LEARNING = "mean validation accuracy over epochs"
NETWORK = "network (parameters, MACs, bytes)"
SECONDS_METRIC = "seconds an epoch"
FILE = "bench/test_task1_architecture.py"
SIZE_2016 = "60,000 images, GTX 970"
BASE_2016 = [0.9685, 0.9777, 0.9818, 0.9837, 0.9859, 0.9863, 0.9872, 0.9882, 0.9892, 0.9888, 0.9901, 0.9892]
BASE_TRAIN_2016 = [0.8835, 0.9551, 0.9659, 0.9718, 0.9756, 0.9777, 0.9791, 0.9809, 0.9823, 0.9841, 0.9846, 0.9847]
LESS_2016 = [0.9590, 0.9688, 0.9748, 0.9773, 0.9788, 0.9814, 0.9815, 0.9823, 0.9824, 0.9838, 0.9839, 0.9841]
LESS_TRAIN_2016 = [0.8699, 0.9433, 0.9560, 0.9639, 0.9676, 0.9706, 0.9726, 0.9740, 0.9763, 0.9765, 0.9784, 0.9794]
HALF_2016 = [0.9666, 0.9757, 0.9810, 0.9824, 0.9838, 0.9839, 0.9858, 0.9863, 0.9877, 0.9871, 0.9868, 0.9890]
HALF_TRAIN_2016 = [0.8699, 0.9504, 0.9598, 0.9657, 0.9686, 0.9722, 0.9745, 0.9765, 0.9774, 0.9798, 0.9798, 0.9810]

BASE_LAYERS = [
    ("conv1", "Conv2D", [26, 26, 32], 320, 194_688),
    ("conv2", "Conv2D", [24, 24, 32], 9_248, 5_308_416),
    ("pool", "MaxPooling2D", [12, 12, 32], 0, 0),
    ("drop1", "Dropout", [12, 12, 32], 0, 0),
    ("flatten", "Flatten", [4608], 0, 0),
    ("fc1", "Dense", [128], 589_952, 589_824),
    ("drop2", "Dropout", [128], 0, 0),
    ("softmax", "Dense", [10], 1_290, 1_280),
]
PARAMETERS = {
    "base": 600_810,
    "one_conv_less": 693_962,
    "three_conv_more": 370_506,
    "fc1024": 4_861_674,
    "half_filters": 299_466,
}
SECONDS = {"base": 0.170, "one_conv_less": 0.101, "three_conv_more": 0.352, "fc1024": 0.262, "half_filters": 0.118}
REACHED = {"base": 0.947, "one_conv_less": 0.921, "half_filters": 0.934, "three_conv_more": 0.951}


def node(name: str) -> str:
    """A test's node id."""
    return f"{FILE}::{name}"


def _times(name: str, seed: int, slower: float = 1.0, rounds: int = 10) -> list[float]:
    rng = random.Random(f"{name}-{seed}")
    return [round(SECONDS[name] * slower * math.exp(rng.gauss(0, 0.05)), 6) for _ in range(rounds)]


def _curve(name: str, seed: int, epochs: int = 12, diverged: bool = False) -> SeedCurve:
    rng = random.Random(f"curve-{name}-{seed}")
    rows = []
    for epoch in range(1, epochs + 1):
        val = REACHED[name] - (REACHED[name] - 0.55) * math.exp(-epoch / 2.4) + rng.gauss(0, 0.006)
        train = val - 0.02 - 0.12 * math.exp(-epoch / 2.0) + rng.gauss(0, 0.004)
        lost = diverged and epoch > 5
        rows.append(
            EpochRow(
                train_seconds=SECONDS[name] * 8,
                train_loss=None if lost else round(1.6 * math.exp(-epoch / 3), 4),
                train_accuracy=None if lost else round(train, 4),
                val_loss=None if lost else round(1.3 * math.exp(-epoch / 3), 4),
                val_accuracy=None if lost else round(val, 4),
            )
        )
    if diverged:
        return SeedCurve(seed=seed, epochs=rows, status="diverged", reason="the loss was not finite in epoch 6")
    return SeedCurve(seed=seed, epochs=rows)


def _arm(test: str, name: str, *, timed: bool = True, seeds: int = 0, slower: float = 1.0, process: int = 0) -> Arm:
    return Arm(
        name=name,
        test=node(test),
        network=f"mnist_convnet({name})",
        facts={
            "recipe": {"optimizer": "Adadelta", "learning_rate": 1.0, "batch_size": 128},
            "loss": "categorical_crossentropy",
        },
        parameters=PARAMETERS[name],
        macs=6_094_208,
        weight_bytes=PARAMETERS[name] * 4,
        optimizer_bytes=PARAMETERS[name] * 8,
        activation_bytes=1_640_000,
        layers=[
            LayerRow(name=n, kind=k, output_shape=shape, parameters=p, macs=m) for n, k, shape, p, m in BASE_LAYERS
        ],
        round_seconds=_times(name, process, slower) if timed else [],
        round_index=list(range(10)) if timed else [],
        images_per_round=256 if timed else 0,
        images_per_epoch=1_024,
        warmup_rounds=2,
        compile_seconds=1.84 if timed else None,
        calibrator_seconds=[round(0.3 * value, 6) for value in _times("base", process)] if timed else [],
        curves=[_curve(name, s, diverged=name == "one_conv_less" and s == 14) for s in range(11, 11 + seeds)],
        val_images=500 if seeds else 0,
    )


def _more(sentence: str, treatment: str, reference: str, margin: float, effect: float, low: float, high: float,
          verdict: str, unit: str = "ratio", kind: str = "ORDER", n: int = 10, n_unit: str = "rounds",
          mde: float | None = 1.06, reason: str = "") -> Assertion:  # fmt: skip
    methods = {
        "ORDER": "trimmed mean log ratio of interleaved rounds",
        "PAIRED": "paired t over seeds",
        "EQUIVALENT": "two one-sided t tests over seeds",
    }
    return Assertion(
        kind=kind, sentence=sentence, treatment=treatment, reference=reference, unit=unit, margin=margin,
        effect=effect, low=low, high=high, n=n, n_unit=n_unit, minimum_detectable_effect=mde, verdict=verdict,
        method=methods.get(kind, "integer comparison, no tolerance"), reason=reason,
    )  # fmt: skip


def comparison(test: str, arm: str, metric: str, verdict: str, **changes: object) -> Comparison:
    """A comparison of an epoch's time with five stored runs; `changes` replace its fields."""
    values: dict[str, object] = {
        "test": node(test), "arm": arm, "metric": metric, "direction": "lower", "unit": "ratio",
        "new": 0.682, "old": 0.678, "effect": 1.006, "low": 0.981, "high": 1.032, "gate": 1.12,
        "minimum_detectable_effect": 1.09, "n_new": 10, "n_old": 50, "verdict": verdict,
        "method": "trimmed mean log ratio over the calibrator, t with 4 degrees of freedom",
        "baselines": [f"2026010{i}-smoke" for i in range(1, 6)],
    }  # fmt: skip
    return Comparison(**(values | changes))  # type: ignore[arg-type]


def _exact(test: str, arm: str, metric: str, value: float, verdict: str = "PASS", **changes: object) -> Comparison:
    return comparison(test, arm, metric, verdict, unit="parameters", direction="none", new=value, old=value, effect=0,
                      low=0, high=0, gate=0, minimum_detectable_effect=1, n_new=1, n_old=5, method="exact",
                      **changes)  # fmt: skip


def _parameters() -> Claim:
    test = "test_parameter_counts"
    rows = [
        Assertion(
            kind="EXACT", sentence=f"{name} has {count:,} parameters", treatment=name, reference="slide",
            unit="parameters", margin=count, effect=count, low=count, high=count, n=1, n_unit="count",
            minimum_detectable_effect=0, verdict="HOLDS", method="integer comparison, no tolerance",
        )
        for name, count in list(PARAMETERS.items())[:4]
    ]  # fmt: skip
    return Claim(
        test=node(test), sentence="The networks have the parameter counts of the slides", task="Task 1: architecture",
        slide=3, published=Published(sentence="600,810; 693,962; 370,506; 4,861,674", size=SIZE_2016),
        control="planted: one layer one unit wider", assertions=rows, verdict="HOLDS", seconds=0.4, source_hash="a1",
        comparisons=[_exact(test, name, NETWORK, n) for name, n in list(PARAMETERS.items())[:4]],
        command=f"pytest {node(test)} --dl-profile smoke",
    )  # fmt: skip


def _expensive() -> Claim:
    test = "test_more_conv_layers_take_longer"
    slow = comparison(
        test, "three_conv_more", SECONDS_METRIC, "REGRESSED", new=1.682, old=1.408, effect=1.195, low=1.142,
        high=1.251, reason="An epoch takes 1.19 times as long as in 5 stored runs; the gate is 1.12.",
        differences=["tensorflow 2.20.0 → 2.21.0", "jit resolved to False → True", "Python 3.11.9 → 3.11.10"],
    )  # fmt: skip
    return Claim(
        test=node(test), sentence="Adding conv layers is expensive in total run time", task="Task 1: architecture",
        slide=4,
        published=Published(
            sentence="11 s < 18 s < 39 s per epoch", size=SIZE_2016,
            epoch_seconds={"one_conv_less": 11, "base": 18, "three_conv_more": 39},
        ),
        control="the arm `base` stands in every arm's place, with other seeds",
        assertions=[
            _more("base takes longer than one_conv_less", "base", "one_conv_less", 1.10, 1.6234, 1.5512, 1.7021,
                  "HOLDS"),
            _more("three_conv_more takes longer than base", "three_conv_more", "base", 1.10, 2.4411, 2.3311, 2.5571,
                  "HOLDS"),
        ],
        verdict="HOLDS", seconds=21.3, source_hash="b2",
        comparisons=[
            comparison(test, "one_conv_less", SECONDS_METRIC, "PASS"),
            comparison(test, "base", SECONDS_METRIC, "PASS", new=0.684, old=0.689, effect=0.993, low=0.967, high=1.02),
            slow,
        ],
        command=f"pytest {node(test)} --dl-profile smoke",
    )  # fmt: skip


def _memory() -> Claim:
    test = "test_fc_layers_cost_memory"
    return Claim(
        test=node(test), sentence="Adding a fully connected layer of 1,024 is expensive in memory",
        task="Task 1: architecture", slide=5,
        published=Published(sentence="4,861,674 parameters, 28 s per epoch", size=SIZE_2016),
        control="planted: a layer of one unit",
        assertions=[
            _more("fc1024 holds more weights than base", "fc1024", "base", 2.0, 8.092, 8.092, 8.092, "HOLDS",
                  kind="EXACT", n=1, n_unit="count", mde=None),
        ],
        verdict="HOLDS", seconds=0.9, source_hash="c3",
        comparisons=[
            _exact(test, "fc1024", NETWORK, 4_861_674),
            comparison(test, "fc1024", "peak_memory_bytes", "IMPROVED", direction="lower", unit="ratio", new=98_200_000,
                       old=121_500_000, effect=0.808, low=0.801, high=0.815, gate=1.02,
                       reason="Peak memory is 0.81 of the stored runs': accept it to hold the gain."),
        ],
        command=f"pytest {node(test)} --dl-profile smoke",
    )  # fmt: skip


def _fewer_yet_slower() -> Claim:
    test = "test_fewer_parameters_yet_slower"
    return Claim(
        test=node(test), sentence="Three more conv layers have fewer parameters and yet train more slowly",
        task="Task 1: architecture", slide=4,
        published=Published(
            sentence="370,506 parameters at 39 s against 600,810 at 18 s", size=SIZE_2016,
            epoch_seconds={"base": 18, "three_conv_more": 39},
        ),
        control="the arm `base` stands in every arm's place, with other seeds",
        assertions=[
            _more("three_conv_more has fewer parameters", "three_conv_more", "base", 1.00, 0.6167, 0.6167, 0.6167,
                  "HOLDS", kind="EXACT", n=1, n_unit="count", mde=None),
            _more("three_conv_more takes longer than base", "three_conv_more", "base", 1.10, 2.071, 1.982, 2.163,
                  "HOLDS"),
        ],
        verdict="HOLDS", seconds=14.2, source_hash="d4",
        comparisons=[
            comparison(test, "base", SECONDS_METRIC, "STALE", new=0.688, old=None, effect=None, low=None, high=None,
                       reason="The arm's recipe changed since the baseline was stored: run `dlcv04 baseline` anew.",
                       differences=["batch_size 64 → 128"]),
            comparison(test, "three_conv_more", SECONDS_METRIC, "CHANGED", new=0.071, old=1.42, effect=0.05, low=0.047,
                       high=0.053, reason="Faster than a change of code makes it: was work left out?"),
        ],
        command=f"pytest {node(test)} --dl-profile smoke",
    )  # fmt: skip


def _learning() -> Claim:
    test = "test_one_conv_less_learns_worse"
    return Claim(
        test=node(test), sentence="Removing a conv layer learns worse at every epoch", task="Task 1: architecture",
        slide=4,
        published=Published(
            sentence="0.9841 against 0.9892 after 12 epochs", size=SIZE_2016,
            val_accuracy={"base": BASE_2016, "one_conv_less": LESS_2016},
            train_accuracy={"base": BASE_TRAIN_2016, "one_conv_less": LESS_TRAIN_2016},
        ),
        control="the arm `base` stands in every arm's place, with other seeds",
        assertions=[
            _more("base ends above one_conv_less", "base", "one_conv_less", 0.005, 0.0114, -0.0021, 0.0262,
                  "INCONCLUSIVE", unit="points", kind="PAIRED", n=5, n_unit="seeds", mde=0.021,
                  reason="The interval straddles the margin: 9 seeds would decide an effect of this size."),
        ],
        verdict="INCONCLUSIVE", seconds=62.7, source_hash="e5",
        comparisons=[
            comparison(test, "base", LEARNING, "INCONCLUSIVE", direction="higher", unit="points", new=0.9441,
                       old=0.9482, effect=-0.0041, low=-0.0133, high=0.0051, gate=-0.01,
                       minimum_detectable_effect=0.012, n_new=5, n_old=10, method="Welch's t over seeds",
                       reason="The interval straddles the gate of 1 point."),
        ],
        command=f"pytest {node(test)} --dl-profile smoke --dl-seeds 9",
    )  # fmt: skip


def _half() -> Claim:
    test = "test_half_filters_learn_as_well"
    return Claim(
        test=node(test), sentence="Half the filters learn as well and train faster", task="Task 1: architecture",
        slide=6,
        published=Published(
            sentence="0.9890 against 0.9892, 13 s against 19 s", size=SIZE_2016,
            epoch_seconds={"base": 19, "half_filters": 13},
            val_accuracy={"base": BASE_2016, "half_filters": HALF_2016},
            train_accuracy={"base": BASE_TRAIN_2016, "half_filters": HALF_TRAIN_2016},
        ),
        control="planted: a tenth of the learning rate",
        assertions=[
            _more("half_filters ends within a point of base", "half_filters", "base", 0.01, -0.0152, -0.0198, -0.0106,
                  "VIOLATED", unit="points", kind="EQUIVALENT", n=5, n_unit="seeds", mde=0.008,
                  reason="half_filters ends 1.5 points below base, beyond the margin of 1 point."),
            _more("base takes longer than half_filters", "base", "half_filters", 1.10, 1.438, 1.361, 1.519, "HOLDS"),
        ],
        verdict="VIOLATED", seconds=48.0, source_hash="f6",
        comparisons=[
            comparison(test, "half_filters", SECONDS_METRIC, "NO_BASELINE", old=None, effect=None, low=None, high=None,
                       gate=None, minimum_detectable_effect=None, n_old=0, baselines=[],
                       reason="Nothing is stored for this figure: `dlcv04 baseline` stores it."),
        ],
        command=f"pytest {node(test)} --dl-profile smoke",
    )  # fmt: skip


def _control_of(claim: Claim, held: bool = False, weak: bool = False) -> Claim:
    broken = [
        msgspec.structs.replace(
            a, verdict="HOLDS" if held else "VIOLATED", low=None, high=None,
            effect=a.margin * 1.2 if held else 0.0004 if a.unit == "points" else a.margin * 0.91,
        )
        for a in claim.assertions
    ]  # fmt: skip
    return msgspec.structs.replace(
        claim, test=claim.test + "[control]", is_control=True, assertions=broken, comparisons=[],
        verdict="HOLDS" if held else "VIOLATED",
        control_verdict="SURVIVED" if held else "CONTROL_WEAK" if weak else "BROKE",
    )  # fmt: skip


def _environment(tensorflow: str) -> Environment:
    return Environment(
        machine_class="cpu-amd-epyc-7b13-2",
        hardware={"cpu": "AMD EPYC 7B13", "usable cores": "2", "memory": "7.8 GB", "gpu": "none"},
        software={
            "python": "3.11.10", "tensorflow": tensorflow, "keras": "3.15.1", "numpy": "2.4.0", "backend": "tensorflow",
            "os": "Linux 6.1 (Debian 12)",
        },
    )  # fmt: skip


def _data() -> list[DataRecord]:
    return [
        DataRecord(
            name="mnist", kind="embedded", provenance="stand-in: scikit-learn's 8x8 digits enlarged to 28x28",
            fingerprint="9f3c1e77ab12d4508c66b0f1d2e3a4b5c6d7e8f90123456789abcdef01234567", train_images=1_297,
            val_images=500,
        )
    ]  # fmt: skip


def _arms(process: int, slower: float) -> list[Arm]:
    more, both = "test_more_conv_layers_take_longer", "test_half_filters_learn_as_well"
    return [
        _arm("test_parameter_counts", "base", timed=False),
        _arm("test_parameter_counts", "fc1024", timed=False),
        _arm(more, "one_conv_less", process=process),
        _arm(more, "base", process=process),
        _arm(more, "three_conv_more", slower=slower, process=process),
        _arm("test_fc_layers_cost_memory", "base", timed=False),
        _arm("test_fc_layers_cost_memory", "fc1024", timed=False),
        _arm("test_fewer_parameters_yet_slower", "base", process=process + 50),
        _arm("test_fewer_parameters_yet_slower", "three_conv_more", process=process + 50),
        _arm("test_one_conv_less_learns_worse", "base", timed=False, seeds=5),
        _arm("test_one_conv_less_learns_worse", "one_conv_less", timed=False, seeds=5),
        _arm(both, "base", seeds=5, process=process + 90),
        _arm(both, "half_filters", seeds=5, process=process + 90),
    ]


def changed(run: Run, **fields: object) -> Run:
    """The run with other values in some fields."""
    return msgspec.structs.replace(run, **fields)


def sample_run() -> Run:
    """Six claims of Task 1: four hold, one is inconclusive, one violated; every comparison verdict occurs."""
    claims = [_parameters(), _expensive(), _memory(), _fewer_yet_slower(), _learning(), _half()]
    tried = [_control_of(c) for c in claims[:3]] + [
        _control_of(claims[3], held=True),
        _control_of(claims[4], weak=True),
    ]
    gone = comparison(
        "test_extra_fc128_costs_little", "extra_fc128", SECONDS_METRIC, "MISSING", new=None, effect=None, low=None,
        high=None, n_new=0, reason="Stored for this profile, but not run although the whole suite was asked for.",
    )  # fmt: skip
    return Run(
        id="20260131-234012-smoke-1a2b3c", started="2026-01-31T23:40:12+00:00", profile="smoke", device="cpu",
        suite="bench", whole_suite=True,
        key={"backend": "tensorflow", "dtype": "float32", "jit": "False", "profile": "smoke", "mnist": "9f3c1e77ab12"},
        data=_data(), environment=_environment("2.21.0"),
        commit=Commit(id="1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d", branch="main", dirty=True),
        command="pytest bench/ --benchmark-compare --dl-controls", arms=_arms(0, 1.19), claims=claims + tried,
        missing=[gone], failures=[f"{node('test_kernel_5x5')}: ValueError: the kernel is larger than the input."],
        overhead_seconds={"import keras": 6.2, "data": 0.8, "fingerprint": 0.3, "report": 2.4}, seconds=201.4,
        exit_status=1, compared_with=[f"2026010{i}-smoke" for i in range(1, 6)],
    )  # fmt: skip


def sample_baselines() -> list[Run]:
    """Five stored runs with an older TensorFlow, in which nothing is slow."""
    run = sample_run()
    return [
        msgspec.structs.replace(
            run, id=f"2026010{i}-smoke", started=f"2026-01-0{i}T10:00:00+00:00", environment=_environment("2.20.0"),
            commit=Commit(id=f"{i}" * 40, branch="main"), arms=_arms(i, 1.0), claims=[], missing=[], failures=[],
        )
        for i in range(1, 6)
    ]  # fmt: skip


def green_run() -> Run:
    """A run in which everything held and passed."""
    run = sample_run()
    claims = [c for c in run.claims if c.verdict == "HOLDS" and not c.is_control]
    kept = [msgspec.structs.replace(c, comparisons=[x for x in c.comparisons if x.verdict == "PASS"]) for c in claims]
    return msgspec.structs.replace(run, claims=kept, missing=[], failures=[], exit_status=0)


def empty_run() -> Run:
    """A run in which nothing was run."""
    return Run(
        id="empty", started="", profile="smoke", device="cpu",
        environment=Environment(machine_class="cpu", hardware={}, software={}),
    )  # fmt: skip


def assertion(kind: str, unit: str, **changes: object) -> Assertion:
    """An assertion that holds by a point; `changes` replace its fields."""
    values: dict[str, object] = {
        "kind": kind, "sentence": "s", "treatment": "new", "reference": "old", "unit": unit, "margin": 0.01,
        "effect": 0.02, "low": 0.012, "high": 0.03, "n": 5, "n_unit": "seeds", "verdict": "HOLDS", "method": "m",
        "minimum_detectable_effect": 0.015 if unit == "points" else 1.2,
    }  # fmt: skip
    return Assertion(**(values | changes))  # type: ignore[arg-type]


def every_kind() -> dict[str, Assertion]:
    """One assertion of each kind that has an interval or a tolerance."""
    return {
        "ORDER": assertion("ORDER", "ratio", margin=1.1, effect=1.6, low=1.5, high=1.7, n_unit="pairs"),
        "PAIRED": assertion("PAIRED", "points", relation=">"),
        "not better": assertion("PAIRED", "points", relation="<", effect=0.001, low=-0.01, high=0.004),
        "EQUIVALENT": assertion("EQUIVALENT", "points", effect=0.001, low=-0.004, high=0.006),
        "LEVEL": assertion(
            "LEVEL", "points", reference="", margin=0.97, effect=0.98, low=0.975, high=None, relation=">",
            minimum_detectable_effect=0.005,
        ),
        "REACH": assertion(
            "REACH", "ratio", margin=1.5, effect=2.1, low=1.7, high=2.6, relation=">", target=0.9,
            metric="validation accuracy",
        ),
        "IDENTITY": assertion(
            "IDENTITY", "deviation", margin=1e-5, effect=2e-6, low=2e-6, high=2e-6, relation="<=", n=4608,
            n_unit="values", minimum_detectable_effect=None,
        ),
    }  # fmt: skip


def kinds_run() -> Run:
    """A run whose only claim asserts one thing of each kind, with the curves that REACH is drawn from."""
    run = sample_run()
    claim = next(c for c in run.claims if "learn as well" in c.sentence)
    arms = [a for a in run.arms if a.test == claim.test]
    names = dict(zip(("new", "old"), arms, strict=True))
    rows = [
        msgspec.structs.replace(a, sentence=f"{kind}: new against old", method=f"as {kind} is judged")
        for kind, a in every_kind().items()
    ]
    return msgspec.structs.replace(
        run, claims=[msgspec.structs.replace(claim, assertions=rows, comparisons=[])], missing=[], failures=[],
        arms=[msgspec.structs.replace(arm, name=name) for name, arm in names.items()],
    )  # fmt: skip


def ramp(height: int, width: int) -> Picture:
    """A picture that grows lighter to the right."""
    row = np.linspace(0, 255, width).astype(np.uint8)
    return pictures.make(
        f"a ramp from black to white, {width} pixels wide", np.tile(row, (height, 1)),
        caption="Dark on the left, light on the right; nothing else is to be seen in it.", published="The same ramp.",
    )  # fmt: skip


def pictured_run() -> Run:
    """A run whose only claim shows four pictures: a wide one, a tall one and two small ones."""
    run = sample_run()
    shown = [ramp(120, 1600), ramp(900, 90), ramp(64, 64), ramp(64, 64)]
    claims = [msgspec.structs.replace(run.claims[0], pictures=shown)]
    return msgspec.structs.replace(run, claims=claims, missing=[], failures=[])


HOSTILE = {
    "script": "<script>window.hit = 1; alert(1)</script>",
    "image": "<img src=x onerror='window.hit = 1'>",
    "quotes": "\"' onmouseover='window.hit = 1' {{ 7 * 7 }} {% raw %}",
    "right to left": "\u202eשלום مرحبا\u2066 abc",
    "control characters": "\x00\x1b[31m\x1b]0;owned\x07]]>-->&amp;\x9b2J",
    "markdown": "| [a](http://b.example) ![c](d) @someone `e` **f** <b>",
    "10,000 characters": "x" * 10_000,
}


def hostile_run(text: str) -> Run:
    """The sample with `text` in every name, sentence and reason that a run can carry."""
    run = sample_run()
    claim = next(c for c in run.claims if c.verdict == "VIOLATED")
    arm = msgspec.structs.replace(
        next(a for a in run.arms if a.test == claim.test),
        test=text,
        name=text,
        network=text,
        facts={text: {text: text}},
    )
    rows = [
        msgspec.structs.replace(
            c, test=text, arm=text, metric=text, reason=text, method=text, differences=[text], baselines=[text]
        )
        for c in claim.comparisons
    ]
    sentences = [
        msgspec.structs.replace(a, sentence=text, treatment=text, reference=text, reason=text, method=text)
        for a in claim.assertions
    ]
    claim = msgspec.structs.replace(
        claim, test=text, sentence=text, task=text, control=text, reason=text, command=text, assertions=sentences,
        comparisons=rows, published=msgspec.structs.replace(claim.published, sentence=text, size=text),
        pictures=[msgspec.structs.replace(ramp(4, 4), name=text, caption=text, published=text)],
    )  # fmt: skip
    data = DataRecord(name=text, kind=text, provenance=text, fingerprint=text, train_images=1, val_images=1)
    environment = msgspec.structs.replace(
        run.environment, machine_class=text, hardware={text: text}, software={text: text}
    )
    return msgspec.structs.replace(
        run, id=text, started=text, claims=[claim], arms=[arm], data=[data], environment=environment, failures=[text],
        commit=Commit(id=text, branch=text, dirty=True), command=text,
        compared_with=[text], missing=rows, overhead_seconds={text: 1.0}, device=text, profile=text,
    )  # fmt: skip


def hostile_baselines(text: str) -> list[Run]:
    """Stored runs of the same hostile arms, accepted and pinned for a hostile reason."""
    accepted = Acceptance(reason=text, accepted=text, commit=Commit(id=text), part="timing", pins=True, forced=True)
    run = hostile_run(text)
    return [msgspec.structs.replace(run, id=f"{text}{i}", claims=[], acceptance=accepted) for i in range(3)]
