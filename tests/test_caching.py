"""The disk cache: computed once, also by two processes; damage and a full disk cost time, never a wrong result."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as numbers

from dlcv04 import caching

KEY = {"weights": "abc", "size": 64}


class Work:
    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> caching.Arrays:
        self.times += 1
        return {"a": np.arange(500, dtype=np.float32), "b": np.eye(3)}


def same(one: caching.Arrays, other: caching.Arrays) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)


def test_computed_once(tmp_path: Path) -> None:
    work = Work()
    found = [caching.cached("x", KEY, work, folder=tmp_path) for _ in range(3)]
    assert work.times == 1
    assert all(same(one, Work()()) for one in found)
    assert len(list(tmp_path.glob("x-*.npz"))) == 1 and not list(tmp_path.glob("*.partial"))


@pytest.mark.parametrize("other", [{**KEY, "size": 65}, {**KEY, "weights": "abd"}, {"weights": "abc"}])
def test_another_key_is_another_file(other: dict, tmp_path: Path) -> None:
    work = Work()
    caching.cached("x", KEY, work, folder=tmp_path)
    caching.cached("x", other, work, folder=tmp_path)
    assert work.times == 2 and len(list(tmp_path.glob("x-*.npz"))) == 2


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def foreign(path: Path) -> None:
    caching.store(path, {"weights": "other", "size": 64}, {"a": np.zeros(1)})


def pickled(path: Path) -> None:
    np.savez(path, key=np.array(json.dumps(KEY)), a=np.array([{}], dtype=object))


@pytest.mark.parametrize(
    ("damage", "word"),
    [
        (flip, "damaged"),
        (lambda path: path.write_bytes(path.read_bytes()[:-100]), "damaged"),
        (lambda path: path.write_bytes(b""), "damaged"),
        (lambda path: np.savez(path, a=np.zeros(3)), "damaged"),
        (pickled, "damaged"),
        (foreign, "stored with another weights"),
    ],
)
def test_a_damaged_file_is_told_and_computed_anew(damage, word: str, tmp_path: Path) -> None:
    work, told = Work(), []
    caching.cached("x", KEY, work, folder=tmp_path)
    (path,) = tmp_path.glob("x-*.npz")
    damage(path)
    assert same(caching.cached("x", KEY, work, folder=tmp_path, tell=told.append), Work()())
    assert work.times == 2 and len(told) == 1
    assert word in told[0] and str(path) in told[0] and "computed again" in told[0]
    caching.cached("x", KEY, work, folder=tmp_path, tell=told.append)
    assert work.times == 2 and len(told) == 1


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    told: list[str] = []
    assert same(caching.cached("x", KEY, Work(), folder=tmp_path / "file" / "cache", tell=told.append), Work()())
    assert "DLCV04_CACHE" in told[0]


def test_a_full_disk_costs_time_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object, **more: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    told: list[str] = []
    assert same(caching.cached("x", KEY, Work(), folder=tmp_path, tell=told.append), Work()())
    assert "No space left" in told[0] and not list(tmp_path.glob("*.npz")) and not list(tmp_path.glob(".*"))


SLOW = """
import sys, time, pathlib, numpy as np
from dlcv04 import caching
log = pathlib.Path(sys.argv[1]) / "log"
def work():
    with log.open("a") as file: file.write("computed\\n")
    time.sleep(0.5)
    return {"a": np.arange(7)}
print(caching.cached("x", {"k": 1}, work, folder=sys.argv[1])["a"].sum())
"""


def test_two_processes_compute_once(tmp_path: Path) -> None:
    both = [
        subprocess.Popen([sys.executable, "-c", SLOW, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    assert [process.communicate(timeout=60)[0] for process in both] == ["21\n", "21\n"]
    assert (tmp_path / "log").read_text() == "computed\n"


@given(
    array=numbers.arrays(
        st.sampled_from([np.float32, np.uint8, np.int32, np.float64]), numbers.array_shapes(min_side=0, max_side=4)
    )
)
@settings(max_examples=30, deadline=None)
def test_arrays_come_back_to_the_bit(array: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("store") / "x.npz"
    caching.store(path, KEY, {"a": array})
    back = caching.read(path, KEY)["a"]
    assert back.dtype == array.dtype and back.shape == array.shape and back.tobytes() == array.tobytes()


def test_what_a_killed_process_left_is_swept_once_it_is_old(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    old, young, other = (tmp_path / f".{name}.partial" for name in ("x.npz.a", "x.npz.b", "y.npz.a"))
    for part in (old, young, other):
        part.write_bytes(b"half")
    two_hours_ago = time.time() - 7200
    for part in (old, other):
        os.utime(part, (two_hours_ago, two_hours_ago))
    caching.store(path, KEY, {"a": np.zeros(1)})
    assert not old.exists() and young.exists() and other.exists()


def test_where_nothing_is_known_of_what_made_it_nothing_is_kept(tmp_path: Path) -> None:
    work = Work()
    for _ in range(2):
        caching.cached("x", None, work, folder=tmp_path / "cache")
    assert work.times == 2 and not (tmp_path / "cache").exists()


@pytest.mark.parametrize("what", ["code", "numpy"])
def test_what_other_code_or_other_versions_made_is_never_found(tmp_path, monkeypatch, what):
    made_by = caching.made_by()
    assert what in made_by
    work = Work()
    caching.cached("x", KEY, work, folder=tmp_path)
    path = caching.location("x", KEY, tmp_path)
    monkeypatch.setattr(caching, "made_by", lambda: {**made_by, what: "another"})
    caching.cached("x", KEY, work, folder=tmp_path)
    assert work.times == 2 and caching.location("x", KEY, tmp_path) != path
    with pytest.raises(caching.CacheError, match="another made by"):
        caching.read(path, KEY)


def test_a_changed_line_of_the_package_is_other_code(tmp_path):
    """In a copy of the package: the hash of training.py's source is part of every key, that of the judge's is not."""
    source = Path(caching.__file__).parent
    asked = "from dlcv04 import caching; print(caching.made_by()['code'])"

    def code(changed):
        copy = tmp_path / changed.replace("/", "-") / "dlcv04"
        shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
        if changed != "nothing":
            (copy / changed).write_text((copy / changed).read_text() + "\n# another\n")
        done = subprocess.run(
            [sys.executable, "-c", asked], capture_output=True, text=True, check=True,
            env={**os.environ, "PYTHONPATH": str(copy.parent)}, cwd=tmp_path,
        )  # fmt: skip
        return done.stdout.strip()

    same_code = code("nothing")
    assert code("training.py") != same_code
    assert code("harness/policy.py") == same_code
