"""Mutation testing of what judges and what stores: does a test fail when one operator, constant or statement is wrong?

`.coverage` comes of `pytest --cov=dlcv04/harness --cov-context=test`: a mutant is given to the tests that run its
lines. They run over a copy of this tree, in a fork that has imported all that is not ours. A mutant is killed when a
test fails. One whose tests are ended after `--seconds` of processor time, or after ten times as long, is "late", and
counts as alive. The exit code is 1 when fewer than `--least` percent are killed.
"""

import argparse
import ast
import contextlib
import copy
import importlib
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import coverage
import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("dlcv04/harness/judging", "dlcv04/harness/store")
NEAR = ("tests/harness/judging", "tests/harness/store")
THEIRS = (
    "scipy.stats",
    "msgspec",
    "jinja2",
    "psutil",
    "pandas",
    "hypothesis",
    "typer.testing",
    "pytest_benchmark.plugin",
)
SWAPS = {
    ast.Lt: (ast.LtE, ast.GtE), ast.LtE: (ast.Lt, ast.Gt), ast.Gt: (ast.GtE, ast.LtE), ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.In: (ast.NotIn,), ast.NotIn: (ast.In,), ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,), ast.And: (ast.Or,), ast.Or: (ast.And,), ast.Add: (ast.Sub,), ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div,), ast.Div: (ast.Mult,), ast.FloorDiv: (ast.Div,), ast.Mod: (ast.Mult,), ast.Pow: (ast.Mult,),
}  # fmt: skip


def changes(node):
    """What may stand in a node's place."""
    match node:
        case ast.Compare(left=left, ops=[operator], comparators=right):
            yield from (ast.Compare(left, [other()], right) for other in SWAPS[type(operator)])
        case ast.BoolOp(op=operator):
            yield ast.BoolOp(SWAPS[type(operator)][0](), node.values)
        case ast.BinOp(op=operator) if type(operator) in SWAPS:
            yield ast.BinOp(node.left, SWAPS[type(operator)][0](), node.right)
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            yield operand
        case ast.Constant(value=bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(value=int(value) | float(value)):
            yield from (ast.Constant(value + 1), ast.Constant(value - 1))
        case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test):
            other = copy.copy(node)
            other.test = ast.UnaryOp(ast.Not(), test)
            yield other
        case ast.Return(value=value) if value is not None and ast.unparse(value) != "None":
            yield ast.Return(ast.Constant(None))
        case ast.Assign() | ast.AugAssign() | ast.Raise() | ast.Continue() | ast.Break():
            yield ast.Pass()
        case ast.Expr(value=value) if not isinstance(value, ast.Constant):
            yield ast.Pass()


class Mutant:
    """A file with one node replaced."""

    def __init__(self, path, tree, place, old, new):
        self.path, self.tree, self._place, self._old, self._new = path, tree, place, old, new
        self.lines = range(old.lineno, old.lineno + 1 if hasattr(old, "body") else old.end_lineno + 1)

    def __str__(self):
        texts = [" ".join(ast.unparse(node).split())[:110] for node in (self._old, self._new)]
        return f"{self.path}:{self.lines.start} {'  ->  '.join(texts)}"

    def source(self):
        """The whole file, wrong."""
        owner, field, number = self._place
        held = getattr(owner, field)
        setattr(owner, field, self._new if number is None else [*held[:number], self._new, *held[number + 1 :]])
        text = ast.unparse(ast.fix_missing_locations(self.tree))
        setattr(owner, field, held)
        return text


def mutants_of(path):
    """Every mutant of a file, in a fixed order; annotations and decorators are left as they are."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    for owner in ast.walk(tree):
        for field, value in ast.iter_fields(owner):
            if field not in ("annotation", "returns", "decorator_list"):
                for number, old in enumerate(value) if isinstance(value, list) else [(None, value)]:
                    for new in changes(old):
                        yield Mutant(path, tree, (owner, field, number), old, new)


def tests_for(mutant, data):
    """The tests that run a mutant's lines (those that run its file, where only importing does), in three groups.

    Most mutants die in the first one, of their own module, for which a fork collects little.
    """
    by_line = data.contexts_by_lineno(str(ROOT / mutant.path))
    found = {name for line in mutant.lines for name in by_line.get(line, ())} - {""}
    found = found or {name for names in by_line.values() for name in names} - {""}
    groups = [[], [], []]
    for test in sorted({name.partition("|")[0] for name in found}):
        own, near = f"/test_{Path(mutant.path).stem}.py" in test, test.startswith(NEAR)
        groups[0 if own else 1 if near else 2].append(test)
    return [group for group in groups if group]


class Slot:
    """A copy of the tree, and the fork that works on it."""

    def __init__(self, folder):
        self.copied, self.pid = Path(folder), 0
        for name in subprocess.check_output(
            ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, text=True
        ).splitlines():
            (self.copied / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, self.copied / name, follow_symlinks=False)

    def begin(self, mutant, groups, seconds):
        """Break the file, and run the first group of tests."""
        self.mutant, self.place, self.groups, self.seconds = mutant, self.copied / mutant.path, list(groups), seconds
        self.was, there = self.place.read_bytes(), self.place.stat()
        self.times = there.st_atime_ns, there.st_mtime_ns
        self.place.write_text(mutant.source(), encoding="utf-8")
        self._next()

    def _next(self):
        tests, self.ends = self.groups.pop(0), time.monotonic() + 10 * self.seconds
        self.pid = os.fork()
        if self.pid == 0:
            self._test(tests, self.seconds)

    def _test(self, tests, seconds):
        code = 3
        with contextlib.suppress(BaseException), (self.copied.parent / f"{os.getpid()}.log").open("w") as log:
            os.setsid()
            for descriptor in (1, 2):
                os.dup2(log.fileno(), descriptor)
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
            os.chdir(self.copied)
            os.environ["PYTHONPATH"], sys.dont_write_bytecode = str(self.copied), True
            sys.path.insert(0, str(self.copied))
            code = pytest.main(["-x", "-q", "-p", "no:cacheprovider", "--hypothesis-seed=0", *tests])
        os._exit(code)

    def ended(self):
        """Whether the mutant is "killed", "alive" or "late"; None while its tests run. At the end the file is whole."""
        done, status = os.waitpid(self.pid, os.WNOHANG)
        if not done and time.monotonic() < self.ends:
            return None
        with contextlib.suppress(ProcessLookupError):  # it, or what its tests started
            os.killpg(self.pid, signal.SIGKILL)
        if not done:
            os.waitpid(self.pid, 0)
        elif status == 0 and self.groups:
            return self._next()
        self.place.write_bytes(self.was)
        os.utime(self.place, ns=self.times)  # its bytecode is good again
        self.pid = 0
        return "late" if not done or os.WIFSIGNALED(status) else "alive" if status == 0 else "killed"


def run(jobs, slots, seconds):
    """Run (mutant, tests) over all slots; yield each mutant with its outcome."""
    jobs = iter(jobs)
    while True:
        for slot in slots:
            if slot.pid and (found := slot.ended()):
                yield slot.mutant, found
            if not slot.pid and (job := next(jobs, None)):
                slot.begin(*job, seconds)
        if not any(slot.pid for slot in slots):
            return
        time.sleep(0.02)


def main():
    """Sample, run, and say what became of each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("coverage", type=Path)
    parser.add_argument("--sample", type=int, default=400)
    parser.add_argument("--seed", type=int, default=22)
    parser.add_argument("--numbers", type=lambda text: {int(each) for each in text.split(",")}, help="of the sample")
    parser.add_argument("--seconds", type=int, default=120)
    parser.add_argument("--least", type=float, default=85)
    given = parser.parse_args()
    data = coverage.CoverageData(str(given.coverage))
    data.read()
    paths = sorted(str(path.relative_to(ROOT)) for room in ROOMS for path in (ROOT / room).rglob("*.py"))
    every = [mutant for path in paths for mutant in mutants_of(path)]
    sample = dict(enumerate(random.Random(given.seed).sample(every, given.sample)))
    numbers = {id(mutant): number for number, mutant in sample.items()}
    jobs = [(sample[n], tests_for(sample[n], data)) for n in sorted(given.numbers or sample)]
    print(f"{len(jobs)} of {len(every)} mutants, seed {given.seed}", flush=True)
    for name in THEIRS:
        importlib.import_module(name)
    killed = 0
    with tempfile.TemporaryDirectory() as folder:
        slots = [Slot(Path(folder) / name / "tree") for name in "ab"]
        whole = Mutant(paths[0], every[0].tree, (every[0].tree, "body", 0), *[every[0].tree.body[0]] * 2)
        used = sorted({test for _, groups in jobs for group in groups for test in group})
        [(_, found)] = run([(whole, [used])], slots, 20 * given.seconds)
        if found != "alive":
            log = max(Path(folder).rglob("*.log"), key=os.path.getmtime).read_text(encoding="utf-8", errors="replace")
            sys.exit(f"{log[-3000:]}\nThese tests fail on the code as it is, so they say nothing of a mutant.")
        for mutant, found in run(jobs, slots, given.seconds):
            killed += found == "killed"
            print(f"#{numbers[id(mutant)]} {found} {mutant}", flush=True)
    share = 100 * killed / len(jobs)
    print(f"{killed} of {len(jobs)} killed ({share:.1f} %)")
    sys.exit(share < given.least)


if __name__ == "__main__":
    main()
