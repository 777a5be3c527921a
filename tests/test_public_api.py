"""The promise to other people's experiments: names, signatures, an example each, and types.

Where a test here fails after a change that you made on purpose:
- something was added: add its line below;
- something was renamed, removed, reordered or got another default: that breaks suites we don't know. Keep the old form
  working if you can; else change the line below and say so in CHANGELOG.md under "Breaking".
"""

import doctest
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

import dlcv04
from dlcv04 import cli, fixtures
from dlcv04.harness import plugin
from dlcv04.harness.claims.recorder import ClaimRecorder
from dlcv04.harness.judging.metrics import Metric, Series

ROOT = Path(__file__).parent.parent
ON_PURPOSE = "see the top of tests/test_public_api.py for what to do if you changed it on purpose"

NAMES = """
Dataset(name, x_train, y_train, x_val, y_val, classes=0, provenance='your own arrays', kind='own', class_names=(), \
boxes_train=None, boxes_val=None, scale=True, sample_weight_train=None, sample_weight_val=None)
FINAL_LOSS_GAP: Metric
FINAL_TRAIN_ACCURACY: Metric
FINAL_VAL_ACCURACY: Metric
GAIN_AFTER_TURN: Metric
LATE_LOSS_GAP: Metric
LOSS_RISE: Metric
MEAN_TRAIN_ACCURACY: Metric
MEAN_VAL_ACCURACY: Metric
Metric(name, of, higher=True, unit='points', proportion=False)
Published(*, sentence='', epoch_seconds=<factory>, val_accuracy=<factory>, train_accuracy=<factory>,\
 size='')
Recipe(name, optimizer, learning_rate, batch_size, epochs, loss='sparse_categorical_crossentropy', train_images=None,\
 val_images=None, optimizer_options=(), decay=0.0, augmentation=())
Series(name, of, higher=True)
TRAIN_ACCURACY: Series
VAL_ACCURACY: Series
VAL_LOSS: Series
claim(sentence, *, control, slide=None, published='', judged_from='smoke', judged_on=(), elsewhere='', task='')
load_runs(folder)
planted(describes, change_arm, *, only=None)
reference_everywhere(reference)
timed_call(work, *, setup=..., barrier=..., batch_size=1, images=None)
timed_fit(network, *, images=1024)
trained(network, *, recipe=None, data=None, deterministic=False, fresh=False)
trained_by(function, *, deterministic=False)
"""

ASSERTIONS = """
at_least(arm, least, *, of=FINAL_VAL_ACCURACY, failures=0)
better(treatment, *, than, by, of=MEAN_VAL_ACCURACY, failures=0)
equivalent(one, other, *, within, of=FINAL_VAL_ACCURACY, failures=0)
exactly(value, expected, *, of, what='parameters')
faster(treatment, *, than, by, pairs=0)
fewer(value, *, than, of, reference, what='parameters')
higher(treatment, *, than, by, over='units', what='value', clusters=None)
identical(fast, slow, *, within, what='values')
lacks(what)
needs_more_memory(treatment, *, than, by)
not_better(treatment, *, than, by, of=MEAN_VAL_ACCURACY, failures=0)
reaches_sooner(treatment, *, than, target, by, of=VAL_ACCURACY, failures=0)
right_more_often(treatment, *, than, by, failures=0)
slower(treatment, *, than, by, pairs=0)
times_as_many(value, *, than, by, of, reference, what='parameters')
"""

FIXTURES = {
    "buildings",
    "cifar10",
    "claim",
    "computed",
    "dataset",
    "epoch_time",
    "footprints",
    "learning",
    "progress",
    "picture",
    "recipe",
    "timing_recipe",
}

OPTIONS = """
--dl-profile smoke|standard|paper
--dl-device auto|cpu|gpu
--dl-data auto|real|embedded
--dl-seeds
--dl-workers
--dl-executor
--dl-controls
--dl-report-dir
--dl-strict
--dl-bisect
--dl-against
ini dl_against_links
"""

#: For the package's own commands, shown in no help.
HIDDEN = ("--dl-record", "--dl-round-server", "--dl-part")

COMMANDS = """
accept run --reason --retire --force
baseline --reason --processes --profile --data --device --suite --learning --seeds --append --name --force
doctor --device --data --weights --suite --profile
fetch name --to
filters model --layer --filters --size --steps --weights --pixels --data --profile --seed --device --out
finetune folder --base --epochs --weights --size --train-from --tap --l2 --dropout --rate --seed --val --data \
--profile --device --out
judge runs --against --strict
new folder
occlude picture --model --pixels --box --patch --stride --profile --device --out
report runs --page --out --format
selftest --quick --identical --planted --profile --data --device --suite
style content look --size --layers --iterations --stages --weights --content-weight --style-weight \
--variation-weight --raw --seed --device --out
train variant --data --profile --seed --epochs --device --out
tsne source --images --model --pixels --size --perplexity --data --seed --out
"""


def shown_default(value):
    if value is inspect.Parameter.empty:
        return ""
    if isinstance(value, Metric | Series):
        return "=" + next(name for name in dlcv04.__all__ if getattr(dlcv04, name) is value)
    return "=..." if callable(value) else f"={value!r}"


def signature(name, value):
    """Names, order, kinds and defaults; annotations are mypy's business."""
    if not callable(value):
        return f"{name}: {type(value).__name__}"
    parameters = [one for one in inspect.signature(value).parameters.values() if one.name != "self"]
    shown = [one.name + shown_default(one.default) for one in parameters]
    keyword = [one.kind is inspect.Parameter.KEYWORD_ONLY for one in parameters]
    if True in keyword:
        shown.insert(keyword.index(True), "*")
    return f"{name}({', '.join(shown)})"


def lines(text):
    return text.strip().split("\n")


def test_the_public_names_and_their_signatures():
    assert [signature(name, getattr(dlcv04, name)) for name in dlcv04.__all__] == lines(NAMES), ON_PURPOSE


def test_all_names_are_sorted_and_have_a_home():
    assert list(dlcv04.__all__) == sorted(dlcv04.__all__) == list(dlcv04._HOMES)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        dlcv04.nothing  # noqa: B018


def test_what_a_claim_can_assert():
    methods = {name: value for name, value in vars(ClaimRecorder).items() if inspect.isfunction(value)}
    public = sorted(name for name in methods if not name.startswith("_"))
    assert [signature(name, methods[name]) for name in public] == lines(ASSERTIONS), ON_PURPOSE


def is_fixture(value):
    return type(value).__name__ == "FixtureFunctionDefinition"


def test_the_fixtures_and_that_the_docstring_of_the_package_names_them():
    found = {name: value for module in (fixtures, plugin) for name, value in vars(module).items() if is_fixture(value)}
    assert set(found) >= FIXTURES, ON_PURPOSE
    told = re.search(r"fixtures \((.*?)\)", dlcv04.__doc__, re.S)[1]
    assert set(re.findall(r"`(\w+)`", told)) == FIXTURES


class Parser:
    """Stands where pytest's parser would."""

    def __init__(self):
        self.found = []

    def getgroup(self, *_):
        return self

    def addoption(self, name, help="", choices=(), **_):
        self.found.append(f"{name} {'|'.join(choices)}".strip())

    def addini(self, name, **_):
        self.found.append(f"ini {name}")


def test_the_options():
    parser = Parser()
    plugin.pytest_addoption(parser)
    assert [one for one in parser.found if not one.startswith(HIDDEN)] == lines(OPTIONS), ON_PURPOSE


def parameter_name(parameter):
    return parameter.name if parameter.param_type_name == "argument" else max(parameter.opts, key=len)


def test_the_commands_and_their_parameters():
    found = []
    for name, command in sorted(get_command(cli.app).commands.items()):
        parameters = [
            one.name if one.param_type_name == "argument" else max(one.opts, key=len) for one in command.params
        ]
        found.append(" ".join([name, *parameters]))
    assert found == lines(COMMANDS), ON_PURPOSE


# -- examples --------------------------------------------------------------------------------------------------------

CALLABLE = [name for name in dlcv04.__all__ if callable(getattr(dlcv04, name))]


@pytest.mark.parametrize("name", CALLABLE)
def test_every_public_name_has_an_example_that_runs(name, monkeypatch):
    monkeypatch.chdir(ROOT)
    value = getattr(dlcv04, name)
    names = {public: getattr(dlcv04, public) for public in dlcv04.__all__}
    (test,) = doctest.DocTestFinder(recurse=False).find(value, name, globs=names)
    assert test.examples, f"{name} has no example in its docstring"
    result = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test)
    assert result.failed == 0


@pytest.mark.parametrize("name", sorted(FIXTURES))
def test_every_fixture_has_an_example(name):
    fixture = getattr(fixtures, name, None) or getattr(plugin, name)
    examples = doctest.DocTestParser().get_examples(inspect.getdoc(fixture))
    assert examples, f"the fixture {name} has no example in its docstring"
    for example in examples:
        compile(example.source, name, "exec")
        assert name in example.source


def test_the_ready_made_metrics_stand_in_the_example_of_metric():
    assert all(name in dlcv04.Metric.__doc__ for name in ("MEAN_VAL_ACCURACY", "FINAL_VAL_ACCURACY"))


# -- types -----------------------------------------------------------------------------------------------------------


def test_the_package_says_that_it_is_typed():
    assert (Path(dlcv04.__file__).parent / "py.typed").is_file()


@pytest.mark.nightly
def test_a_strangers_type_checker_sees_the_types_through_the_lazy_names(tmp_path):
    """And it finds a wrong argument: the lazy module attribute is no `Any`."""
    (tmp_path / "mine.py").write_text(
        "from dlcv04 import Recipe, reference_everywhere\n"
        "reference_everywhere(1)\n"
        'Recipe("mine", "SGD", "fast", 64, 3)\n'
    )
    command = [sys.executable, "-m", "mypy", "--no-incremental", "--follow-imports=silent", "mine.py"]
    pytest.importorskip("mypy", reason="mypy comes with the extra `dev`")
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, env={"MYPYPATH": str(ROOT), "PATH": ""}, check=False
    )
    told = re.findall(r"mine\.py:(\d+): error: .*\[(.*)\]", done.stdout)
    assert told == [("2", "arg-type"), ("3", "arg-type")], done.stdout + done.stderr
