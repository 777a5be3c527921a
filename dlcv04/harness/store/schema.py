"""What a run is, as stored: the `dlcv04` block inside pytest-benchmark's JSON.

Data flows one way: measurements become `Arm`s, claims become `Assertion`s, comparisons with a baseline become
`Comparison`s, and all of them end in one `Run`. Reports and `dlcv04 report` are built from a `Run` alone.

Floats are Python floats. JSON has no NaN: a figure that does not exist is `None` and the record's `status` or
`reason` says why.
"""

from __future__ import annotations

import math
import statistics
from typing import Annotated, Any, Literal

import msgspec

SCHEMA = 2


#: A figure, or what one is made of, is no larger than a float32 holds: squares and sums of it stay finite.
LARGEST = 3.4e38


#: A time that was measured: no clock ticks faster than a nanosecond, and no round lasts thirty years.
Seconds = Annotated[float, msgspec.Meta(ge=1e-9, le=1e9)]


#: A sum of times, which may be none at all.
Duration = Annotated[float, msgspec.Meta(ge=0, le=1e12)]


#: How many there are of something.
Count = Annotated[int, msgspec.Meta(ge=0, le=2**62)]


ClaimVerdict = Literal["HOLDS", "VIOLATED", "INCONCLUSIVE"]


#: What a control did; "" of what is no control.
ControlVerdict = Literal["", "BROKE", "SURVIVED", "CONTROL_WEAK", "NOT RUN"]


ComparisonVerdict = Literal[
    "PASS", "REGRESSED", "IMPROVED", "CHANGED", "INCONCLUSIVE", "NO_BASELINE", "MISSING", "STALE"
]


ClaimKind = Literal["EXACT", "ORDER", "PAIRED", "LEVEL", "EQUIVALENT", "REACH", "IDENTITY"]


#: Which way is better; "none" where any change is one.
Direction = Literal["lower", "higher", "none"]


#: Kinds of figures: clocks, what was learnt, and what is computed without any chance.
Kind = Literal["times", "learning", "exact"]


#: Comparison verdicts that fail the test they belong to.
RED = frozenset({"REGRESSED", "MISSING", "STALE"})


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=False, gc=False):
    """Base of all stored records: immutable, keyword-only, strict about types when decoded."""


class Assertion(Record, frozen=True, kw_only=True):
    """One judged comparison inside a claim.

    `effect`, `low`, `high` and `margin` share `unit`: "ratio" (1.0 = equal), "points" (difference of two fractions,
    0.01 = one point) or a count. `low` is the near bound at 95 %, `high` the far bound at 99 % for "more" claims
    (mirrored for "less" claims); `None` = unbounded. HOLDS when the near bound lies beyond the margin, VIOLATED when
    the far bound falls short of it. `relation` says how an EXACT effect must lie to its margin ("==", "<", ">=");
    `looks` of ORDER are the pairs before which there was no verdict, `metric` names the figure it is about, `target` is
    the level that REACH asks for. `relation` "<" of a PAIRED claim marks an upper bound: there `high` is the near bound
    and `low` the far one. `failed` seeds of `n` count as falling short; the claim says how many may
    (`failures_allowed`).
    """

    kind: ClaimKind
    sentence: str
    treatment: str
    reference: str
    unit: str
    margin: float
    effect: float | None
    low: float | None
    high: float | None
    n: Count
    n_unit: str
    minimum_detectable_effect: float | None = None
    verdict: ClaimVerdict
    method: str
    reason: str = ""
    relation: str = ""
    looks: list[int] = []
    metric: str = ""
    target: float | None = None
    failed: Count = 0
    failures_allowed: Count = 0


class LayerRow(Record, frozen=True, kw_only=True):
    """One layer of a network: output shape without the batch axis, parameters, multiply-accumulates a sample.

    These are None where no formula is known for its kind, a side of the shape where the network leaves it open.
    """

    name: str
    kind: str
    output_shape: list[int | None]
    parameters: Count
    macs: Count | None


#: What Keras's history calls the figures of the training split.
KERAS_NAMES = {"loss": "train_loss", "accuracy": "train_accuracy"}


class EpochRow(Record, frozen=True, kw_only=True):
    """One epoch of one seed. Both splits are evaluated in inference mode after the epoch's last step.

    `val_loss_halves` are the losses on every other validation picture, where a test asked for them. `metrics` are
    further figures by the names that Keras gives them ("mae" of the training split, "val_mae").
    """

    train_seconds: Duration
    train_loss: float | None
    train_accuracy: float | None
    val_loss: float | None
    val_accuracy: float | None
    val_loss_halves: list[float] = []
    metrics: dict[str, float | None] = {}

    @property
    def learnt(self) -> tuple[float | None, ...]:
        """All that tells one training from another: losses and accuracies of both splits, then `metrics` by name."""
        others = (self.metrics[name] for name in sorted(self.metrics))
        return self.train_loss, self.train_accuracy, self.val_loss, self.val_accuracy, *others

    def named(self, name: str) -> float | None:
        """The figure that Keras's history calls so; None where there is none."""
        own = KERAS_NAMES.get(name, name)
        if own in ("train_loss", "train_accuracy", "val_loss", "val_accuracy"):
            found: float | None = getattr(self, own)
            return found
        return self.metrics.get(name)


class SeedCurve(Record, frozen=True, kw_only=True):
    """The learning curve of one seed; `status` "diverged" names the epoch in `reason`, "died" how its process ended.

    `answers` has one sign a validation picture, in an order that all seeds share: 1 where it was classed rightly after
    the last epoch, 0 where not; empty where no test asked for it.
    """

    seed: int
    epochs: list[EpochRow]
    status: Literal["ok", "diverged", "died"] = "ok"
    reason: str = ""
    answers: str = ""


#: What an arm takes of a card's energy, in joules: shown, never gated.
ENERGY = "energy per 1,000 images"


class Figure(Record, frozen=True, kw_only=True):
    """A figure of an arm that can't be drawn from its curves, rounds or counts: a test's own metric, memory, energy.

    `values` are by round, seed or unit, as `index` numbers them (0, 1, ... where it is empty); None where one does not
    exist. `direction` says which way is better.
    """

    name: str
    kind: Kind
    unit: str
    direction: Direction
    values: list[float | None]
    index: list[int] = []


class Arm(Record, frozen=True, kw_only=True):
    """All that was measured of one arm in one test.

    `round_seconds` are the raw timed rounds, in the order they were run; `round_index` says which interleaved
    round each belongs to, so that pairs with other arms can be rebuilt. An epoch's time is
    `round_seconds / images_per_round * images_per_epoch`.
    `calibrator_seconds` are the rounds of the framework-independent kernel that ran beside the arm's block.
    `contention` is the share of the usable cores that other processes took meanwhile, from 0 to 1, `neighbours` names
    those that were on the card, and `clocks` are the worst readings of the clocks (`load.LoadMeter.clocks`).
    `val_images` and `train_images` are the pictures that accuracies are shares of, `val_labels` the class of each
    validation picture in the order of a curve's answers. A `deterministic` arm has one curve, whatever the seed.
    `values` are the figures of an arm that is neither timed nor trained (one a filter or picture), where there are few.
    `figures` are further ones, such as a test's own metric.
    `key` (the data's fingerprint) and the run's `key` together decide what the arm may be compared with.
    `facts` holds everything that defines the arm (network, recipe, resolved optimizer): a change there is named
    when a comparison turns red.
    """

    name: str
    test: str
    network: str = ""
    facts: dict[str, Any] = {}
    key: dict[str, str] = {}
    noisy: bool = False
    parameters: Count | None = None
    macs: Count | None = None
    weight_bytes: Count | None = None
    optimizer_bytes: Count | None = None
    activation_bytes: Count | None = None
    layers: list[LayerRow] = []
    round_seconds: list[Seconds] = []
    round_index: list[int] = []
    images_per_round: Count = 0
    images_per_epoch: Count = 0
    warmup_rounds: Count = 0
    compile_seconds: Duration | None = None
    calibrator_seconds: list[Seconds] = []
    contention: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0
    clocks: dict[str, float] = {}
    neighbours: list[str] = []
    curves: list[SeedCurve] = []
    val_images: Count = 0
    train_images: Count = 0
    val_labels: list[int] = []
    deterministic: bool = False
    values: list[float] = []
    figures: list[Figure] = []

    @property
    def fullname(self) -> str:
        """The name of this arm's row in pytest-benchmark's table."""
        return f"{self.test}<{self.name}>"

    @property
    def epoch_seconds(self) -> list[float]:
        """Seconds of a whole epoch, one figure a timed round."""
        if not self.images_per_round:
            return []
        scale = self.images_per_epoch / self.images_per_round
        return [seconds * scale for seconds in self.round_seconds]

    @property
    def images_per_second(self) -> float | None:
        """Images a second in the median round; None where none was timed."""
        if not self.round_seconds or not self.images_per_round:
            return None
        return self.images_per_round / statistics.median(self.round_seconds)


class Comparison(Record, frozen=True, kw_only=True):
    """One figure of this run compared with stored ones.

    `effect`, `low`, `high`, `gate` and `minimum_detectable_effect` are ratios new/old for times ("ratio"),
    differences for learning ("points") and counts for exact figures. `kind` is None where a row is of a whole test and
    not of one of its figures (MISSING, STALE). `first_look`: the ratio to the stored times, where it looked slower and
    process pairs decided in its place. `asserted` says whether a claim is about the figure.
    """

    test: str
    arm: str
    metric: str
    kind: Kind | None = None
    direction: Direction
    unit: str
    new: float | None
    old: float | None
    effect: float | None
    low: float | None
    high: float | None
    gate: float | None
    minimum_detectable_effect: float | None
    n_new: Count
    n_old: Count
    verdict: ComparisonVerdict
    method: str
    reason: str = ""
    differences: list[str] = []
    baselines: list[str] = []
    first_look: float | None = None
    asserted: bool = True

    @property
    def key(self) -> str:
        """What is compared, in one string: `test<arm>: metric`."""
        return f"{self.test}<{self.arm}>: {self.metric}" if self.arm else f"{self.test}: {self.metric}"


class Published(Record, frozen=True, kw_only=True):
    """Published figures that stand beside the measured ones; no verdict depends on them.

    Attributes:
        sentence: the published claim or figure, in words.
        epoch_seconds: seconds an epoch, by arm.
        val_accuracy: validation accuracy after each epoch, by arm.
        train_accuracy: training accuracy after each epoch, by arm.
        size: at which size they were taken: images, batch, epochs, machine.

    Examples:
        >>> figures = Published(sentence="28 s instead of 18 s", epoch_seconds={"base": 18.0, "wide": 28.0})
        >>> @claim("Wide is slower", control=reference_everywhere("base"), published=figures)
        ... def test_wide_is_slower(epoch_time, claim):
        ...     times = epoch_time(base=base_net, wide=wide_net)
        ...     claim.slower(times.wide, than=times.base, by=1.1)
    """

    sentence: str = ""
    epoch_seconds: dict[str, float] = {}
    val_accuracy: dict[str, list[float]] = {}
    train_accuracy: dict[str, list[float]] = {}
    size: str = ""


class Picture(Record, frozen=True, kw_only=True):
    """A picture that a claim shows: a PNG (base64 in JSON) of `width` x `height` pixels.

    `name` says what it shows, `caption` what to see in it, `published` what the published picture showed.
    """

    name: str
    caption: str = ""
    published: str = ""
    width: int
    height: int
    png: bytes


class Claim(Record, frozen=True, kw_only=True):
    """One claim test: its sentence, what was asserted, the verdict, and the pictures beside it.

    `lacking` says what the machine lacked for a verdict, and how to get it; also why a test skipped itself. `expected`
    is why pytest expected the test to fail (xfail), where it did: VIOLATED is then no failure. `declared` is what the
    test fixed in advance, as it was resolved: margins, targets, metrics, pairs, the control and its code. A claim that
    is not `judged` was not run: it waits for the profile `judged_from`, or for what `waits_for` says in words.
    """

    test: str
    sentence: str
    task: str = ""
    slide: int | None = None
    published: Published = Published()
    control: str = ""
    is_control: bool = False
    control_verdict: ControlVerdict = ""
    judged_from: str = "smoke"
    judged: bool = True
    waits_for: str = ""
    assertions: list[Assertion] = []
    verdict: ClaimVerdict = "INCONCLUSIVE"
    reason: str = ""
    comparisons: list[Comparison] = []
    lacking: list[str] = []
    expected: str = ""
    pictures: list[Picture] = []
    seconds: Duration = 0.0
    source_hash: str = ""
    declared: dict[str, str] = {}
    command: str = ""

    @property
    def needs(self) -> str:
        """What could judge a claim that was not, in words."""
        return self.waits_for or f"the profile {self.judged_from}"


class DataRecord(Record, frozen=True, kw_only=True):
    """A data set that was used: its fingerprint is the sha256 of its arrays."""

    name: str
    kind: str
    provenance: str
    fingerprint: str
    train_images: Count
    val_images: Count


class Environment(Record, frozen=True, kw_only=True):
    """Hardware and software of a run. `machine_class` is hardware only; versions are compared across.

    `hardware` and `software` map a name to a printable value ("cpu": "AMD EPYC", "tensorflow": "2.21.0"). `booted` is
    when the machine started, UTC; "" where unknown.
    """

    machine_class: str
    hardware: dict[str, str]
    software: dict[str, str]
    booted: str = ""


class Commit(Record, frozen=True, kw_only=True):
    """The commit the run was made from; `dirty` = it has uncommitted changes, or git could not say that it has none."""

    id: str = ""
    branch: str = ""
    dirty: bool = False


class Acceptance(Record, frozen=True, kw_only=True):
    """Why, when and from what a run became a baseline; written only by `dlcv04 baseline` and `dlcv04 accept`.

    `pins`: the run was slower than its baselines and was accepted as it is; earlier times no longer count. `listed`:
    the store has a manifest that names the file.
    """

    reason: str
    accepted: str
    commit: Commit
    part: Literal["timing", "portable"]
    forced: bool = False
    pins: bool = False
    listed: bool = False
    sha256: str = ""


class PairRounds(Record, frozen=True, kw_only=True):
    """The rounds of one arm in one pair of fresh processes, old code and new, which took turns.

    `old_seconds[i]` and `new_seconds[i]` are neighbours in time; a round has `steps` steps on both sides.
    """

    test: str
    arm: str
    pair: int
    steps: Annotated[int, msgspec.Meta(ge=1, le=2**62)]
    images_per_step: Count
    old_seconds: list[Seconds]
    new_seconds: list[Seconds]

    @property
    def key(self) -> tuple[str, str]:
        """The benchmark: test and arm."""
        return self.test, self.arm

    @property
    def log_ratios(self) -> list[float]:
        """log(new / old), one a pair of rounds."""
        return [math.log(new / old) for old, new in zip(self.old_seconds, self.new_seconds, strict=True)]


class Unpaired(Record, frozen=True, kw_only=True):
    """A test, or one of its arms, that no process pair timed, and which side would have.

    `only`: "old", the commit has it and the working tree does not time it; "new", the other way round; "" neither did.
    """

    test: str
    arm: str = ""
    only: Literal["old", "new", ""]


class Against(Record, frozen=True, kw_only=True):
    """Process pairs against a commit, and the spread between processes that judged them.

    `tests` is the number of timing tests of the whole suite, `-k` or not: they share the false-alarm budget. Where the
    pairs decide a time that looked slower than stored ones, `gated` is the number of stored times, which share it.
    `unpaired` is what was asked for and not timed: each is a row of the run.
    """

    rev: str
    commit: str
    tests: Count
    process_sd: Annotated[float, msgspec.Meta(ge=0)]
    process_df: Annotated[float, msgspec.Meta(gt=0, le=1e9)]
    process_source: str
    pairs: list[PairRounds] = []
    gated: Count = 0
    unpaired: list[Unpaired] = []


class Recheck(Record, frozen=True, kw_only=True):
    """What was done about a test with a time that looked slower than the stored ones.

    `against` are its process pairs against the commit that was stored; None where they could not be run, and `why` says
    why, or where they stand in the run's own `against`.
    """

    test: str
    against: Against | None = None
    why: str = ""


class Run(Record, frozen=True, kw_only=True):
    """One run of a suite: the `dlcv04` block of a stored file.

    `key` is what decides whether figures may be compared at all: backend, dtype policy, jit and profile (an arm
    adds its data's fingerprint). `rechecks` are the process pairs that decide times that looked slower than the stored
    ones, `repeats` the arms of such tests timed again in fresh processes where pairs could not decide.
    `overhead_seconds` says what calibrator and evaluation added to the wall time. `interrupted` says what ended the run
    before its time, and `not_run` names the tests that had not ended then. `links` are addresses of its "commit" and
    its CI "job".
    """

    schema: int = SCHEMA
    id: str
    started: str
    profile: str
    device: str
    suite: str = ""
    whole_suite: bool = False
    strict: bool = False
    key: dict[str, str] = {}
    data: list[DataRecord] = []
    environment: Environment
    commit: Commit = Commit()
    links: dict[str, str] = {}
    command: str = ""
    arms: list[Arm] = []
    repeats: list[Arm] = []
    rechecks: list[Recheck] = []
    claims: list[Claim] = []
    missing: list[Comparison] = []
    failures: list[str] = []
    interrupted: str = ""
    not_run: list[str] = []
    overhead_seconds: dict[str, Duration] = {}
    seconds: Duration = 0.0
    exit_status: int = 0
    compared_with: list[str] = []
    against: Against | None = None
    acceptance: Acceptance | None = None

    @property
    def comparisons(self) -> list[Comparison]:
        """Every comparison with a baseline of this run, MISSING ones included."""
        return [c for claim in self.claims if not claim.is_control for c in claim.comparisons] + list(self.missing)


def finite(value: float | None) -> float | None:
    """Return `value` as a Python float, or None where it is absent, NaN, infinite or beyond `LARGEST`."""
    if value is None:
        return None
    number = float(value)
    return number if abs(number) <= LARGEST else None


def to_builtins(record: Record) -> Any:
    """Turn a record into dicts and lists that `json.dumps` takes."""
    return msgspec.to_builtins(record)


SECONDS = "seconds an epoch"


NETWORK = "network (parameters, MACs, bytes)"


LEARNING = "mean validation accuracy over epochs"
