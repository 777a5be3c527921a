"""The pool's workers as actors of a Ray cluster. Nothing else in this package knows Ray.

A process of its own, the *agent*, speaks to Ray, and this one speaks to the agent through a pipe: Ray ends the process
that drives it when the head of its cluster is gone, and it prints. That must not happen to pytest. An actor keeps what
it compiled, as loky's processes do; `ray.util.joblib` loses all that was sent when one process is killed.
"""

from __future__ import annotations

import importlib
import importlib.util
import itertools
import os
import pickle
import platform
import re
import shutil
import socket
import subprocess
import sys
import sysconfig
import tempfile
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from functools import cache
from importlib import metadata
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from dlcv04 import backends, caching
from dlcv04.lazy import LazyModule

if TYPE_CHECKING:
    import cloudpickle
    import psutil
    import ray
else:
    cloudpickle = LazyModule("cloudpickle")
    psutil = LazyModule("psutil")
    ray = LazyModule("ray")

INSTALL = "pip install 'dlcv04[ray]'"
#: Seconds that the agent has to end what it started, and then its processes to be gone, before they are killed.
ENDING_SECONDS = 15.0
#: Seconds without an answer after which Ray takes the head of a cluster for gone.
HEAD_SECONDS = 20


class ClusterError(RuntimeError):
    """The cluster can't be reached, is gone, or has a node that computes otherwise; the message says what to do."""


class Node(NamedTuple):
    """Where an actor runs: its node's name, its process, the computer that it is on, and what its bits depend on."""

    name: str
    pid: int
    computer: str
    maker: dict[str, str]


def lack() -> str:
    """Why no cluster can be used here, as a sentence, or ""."""
    return "" if importlib.util.find_spec("ray") else f"--dl-executor ray: Ray is not installed. {INSTALL}"


class Cluster:
    """A Ray cluster, seen from the process that asks it.

    Args:
        address: as Ray takes it ("ray://host:port", "host:port"); "" for the one that RAY_ADDRESS names, else one on
            this machine, which ends with this object.
        size: tasks at the same time.
        device: that a task computes on: it is given one CPU, or one card.
    """

    def __init__(self, address: str, size: int, device: backends.Device) -> None:
        self.address = address or os.environ.get("RAY_ADDRESS", "") or "local"
        self.lost = ""
        self._answered = False
        self._numbers = itertools.count()
        self._calls: dict[int, Future[bytes]] = {}
        self._put: set[Path] = set()
        self._processes: list[psutil.Process] = []
        self._lock = threading.Lock()
        # Sockets lie in it, whose paths must be short.
        self._folder = Path(tempfile.mkdtemp(prefix="dl-", dir="/tmp" if os.name == "posix" else None))
        self._link, theirs = Pipe()
        code = f"import sys; sys.path[:] = {sys.path!r}; from dlcv04.cluster import serve; serve(*sys.argv[1:])"
        told = [str(theirs.fileno()), self.address, str(size), device, str(self._folder)]
        with (self._folder / "agent.log").open("wb") as log:
            self._agent = subprocess.Popen(
                [sys.executable, "-c", code, *told],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **_environment()},
                start_new_session=True,  # Ctrl-C is for the process that ends this one
            )
        theirs.close()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def executor(self) -> Executor:
        """One more worker."""
        number = next(self._numbers)
        self._tell("start", number)
        return Executor(self, number)

    def call(self, actor: int, files: Iterable[Path], function: Callable[..., Any], arguments: Any) -> Future[Any]:
        """Have an actor call a function, with what it reads of these files."""
        for path in files:
            if path not in self._put:
                self._tell("put", path)
                self._put.add(path)
        number, future = next(self._numbers), Future[Any]()
        future.set_running_or_notify_cancel()
        with self._lock:
            self._calls[number] = future
        self._tell("call", number, actor, list(files), cloudpickle.dumps((function, arguments)))
        return future

    def end(self, actor: int) -> None:
        """End an actor, whatever it does; returns at once."""
        self._tell("end", actor)

    def stands_on(self, node: Node) -> None:
        """Remember a process of this computer, which must be gone before anything is timed."""
        if node.computer == computer():
            with suppress(psutil.Error):
                self._processes.append(psutil.Process(node.pid))

    def close(self) -> None:
        """End the actors, and a cluster that was started here, and wait until their processes on this one are gone."""
        with suppress(psutil.Error):
            self._processes += psutil.Process(self._agent.pid).children(recursive=True)
        self._tell("close")
        try:
            self._agent.wait(ENDING_SECONDS)
        except subprocess.TimeoutExpired:
            self._agent.kill()
            self._agent.wait()
        _, left = psutil.wait_procs(self._processes, ENDING_SECONDS)
        for process in left:
            with suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(left, ENDING_SECONDS)
        self._reader.join(ENDING_SECONDS)
        self._link.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _tell(self, *what: Any) -> None:
        try:
            self._link.send(what)
        except OSError:  # the agent is gone; the reader says so to whoever waits
            self._lose("")

    def _read(self) -> None:
        while True:
            try:
                number, how, content = self._link.recv()
            except (EOFError, OSError):
                ended = "its head, or the process that speaks to it, ended"
                self._lose(ended if self._answered else "it did not answer")
                return
            if how == "up":
                self._answered = True
                continue
            if how == "lost":
                self._lose(content)
                continue
            with self._lock:
                future = self._calls.pop(number, None)
            if future is not None:
                _settle(future, how, content)

    def _lose(self, why: str) -> None:
        with self._lock:
            self.lost = self.lost or why
            calls, self._calls = list(self._calls.values()), {}
        for future in calls:
            future.set_exception(ClusterError(self.sentence()))

    def sentence(self) -> str:
        """That the cluster is gone, and why."""
        where = "on this machine" if self.address == "local" else f"at {self.address}"
        return (
            f"The Ray cluster {where} can't be used any more ({self.lost or 'it ended'}); what was finished is kept. "
            "Start it again and repeat the run, or train here: without --dl-executor ray."
        )


class Executor:
    """An actor, as a `concurrent.futures.Executor` of one process."""

    def __init__(self, cluster: Cluster, number: int) -> None:
        self._cluster, self._number = cluster, number

    def submit(self, function: Callable[..., Any], *arguments: Any, files: Iterable[Path] = ()) -> Future[Any]:
        """Call a function there; `files` are those of this machine that it reads by `contents`."""
        return self._cluster.call(self._number, list(files), function, arguments)

    def shutdown(self, **_how: bool) -> None:
        """End it, whatever it does; `Cluster.close` waits until it is gone."""
        self._cluster.end(self._number)


def _settle(future: Future[Any], how: str, content: Any) -> None:
    if how == "died":
        future.set_exception(BrokenProcessPool(content))
        return
    try:
        value = pickle.loads(content)
    except Exception as error:  # whatever unpickling raises
        future.set_exception(error)
        return
    if how == "error":
        future.set_exception(value)
    else:
        future.set_result(value)


def _environment() -> dict[str, str]:
    """Of the agent, and of a cluster that it starts."""
    quiet = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DISABLE_IMPORT_WARNING": "1", "RAY_LOG_TO_DRIVER": "0"}
    head = {"RAY_gcs_rpc_server_reconnect_timeout_s": str(HEAD_SECONDS)}
    # Else Ray hides the cards from a task without one by a variable that frameworks read otherwise.
    return {**quiet, **head, "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}


@cache
def not_installed() -> tuple[ModuleType, ...]:
    """The loaded modules that no package installed: another machine has none of them."""
    installed = {*metadata.packages_distributions(), *sys.stdlib_module_names, "dlcv04", "__main__"}
    folders = tuple(str(Path(sysconfig.get_path(name)).resolve()) for name in ("stdlib", "purelib", "platlib"))
    return tuple(
        module
        for name, module in list(sys.modules.items())
        if name.partition(".")[0] not in installed
        and (file := getattr(module, "__file__", None))
        and not str(Path(file).resolve()).startswith(folders)
    )


def computer() -> str:
    """Tells computers apart, and containers of one."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    return f"{socket.gethostname()} {boot.read_text().strip() if boot.exists() else ''}"


def maker() -> dict[str, str]:
    """What must be equal for curves to be the same bits: the processor or card, and versions."""
    return {
        "device": backends.device_name(),
        "python": platform.python_version(),
        **backends.versions(),
        **caching.made_by(),
    }


def refuse_other_bits(node: Node) -> None:
    """Refuse a node on which curves would not be the bits of this machine.

    Raises:
        ClusterError: it has another processor or card, or other versions.
    """
    here = maker()
    others = [
        f"{name} {node.maker.get(name, 'none')} (here {value})"
        for name, value in here.items()
        if node.maker.get(name) != value
    ]
    if others:
        raise ClusterError(
            f"The node {node.name} computes otherwise than this machine, so that curves would differ in their last "
            f"bits: {', '.join(others)}. Use nodes of one kind with the same versions."
        )


# -- in the agent ----------------------------------------------------------------------------------------------------


def serve(descriptor: str, address: str, size: str, device: str, folder: str) -> None:
    """Speak to Ray for the process at the other end of a pipe, and end with it."""
    link = Connection(int(descriptor))
    agent = _Agent(link, device)
    local = {"num_cpus": int(size), "include_dashboard": False, "_temp_dir": folder} if address == "local" else {}
    try:
        ray.init(address, log_to_driver=False, logging_level="ERROR", **local)
    except BaseException as error:  # Ray raises what it likes, SystemExit too
        said = str(error).strip() or type(error).__name__
        agent.answer(-1, "lost", f"it did not answer: {said.splitlines()[0]}")
        return
    agent.answer(-1, "up", "")
    try:
        while (what := link.recv())[0] != "close":
            getattr(agent, what[0])(*what[1:])
    except EOFError:  # that process ended
        pass
    finally:
        agent.close()


class _Agent:
    """What the other process can ask for."""

    def __init__(self, link: Connection, device: str) -> None:
        self._link, self._device, self._lock = link, device, threading.Lock()
        self._actors: dict[int, Any] = {}
        self._contents: dict[Path, Any] = {}

    def start(self, number: int) -> None:
        wants = {"num_gpus": 1} if self._device == "gpu" else {"num_gpus": 0}
        passed = {name: os.environ[name] for name in ("KERAS_BACKEND", "TF_CPP_MIN_LOG_LEVEL") if name in os.environ}
        environment = {"env_vars": {**backends.one_thread_environment(), **passed}}
        made = ray.remote(_Actor).options(num_cpus=1, **wants, runtime_env=environment, scheduling_strategy="SPREAD")
        self._actors[number] = made.remote()

    def put(self, path: Path) -> None:
        self._contents[path] = ray.put(path.read_bytes())

    def call(self, number: int, actor: int, files: list[Path], payload: bytes) -> None:
        # In a list a reference stays one: an actor fetches what it has not read before.
        parcel = [(path, [self._contents[path]]) for path in files]
        future = self._actors[actor].call.remote(payload, parcel).future()
        future.add_done_callback(lambda done: self._done(number, done))

    def _done(self, number: int, future: Future[Any]) -> None:
        error = future.exception()
        if error is None:
            self.answer(number, *future.result())
        elif isinstance(error, ray.exceptions.RayActorError):
            self.answer(number, "died", _how_it_died(error))
        else:
            self.answer(-1, "lost", (str(error).strip() or type(error).__name__).splitlines()[-1])

    def end(self, actor: int) -> None:
        if actor in self._actors:
            ray.kill(self._actors.pop(actor))

    def close(self) -> None:
        for actor in list(self._actors):
            self.end(actor)
        ray.shutdown()

    def answer(self, number: int, how: str, content: Any) -> None:
        with self._lock, suppress(OSError):  # whoever asked may be gone
            self._link.send((number, how, content))


def _how_it_died(error: BaseException) -> str:
    """A few words of what Ray says in ten lines: the last of them where the actor could not even be made."""
    said = str(error).strip()
    if getattr(error, "_actor_init_failed", False):
        return said.splitlines()[-1]
    node = re.search(r"\bip: (\S+)", said)
    return f"killed or crashed on {node[1]}" if node else said.splitlines()[0]


# -- in an actor -----------------------------------------------------------------------------------------------------

#: References to what another machine's files hold, by their paths there; each in a list of its own.
_LENT: dict[Path, list[Any]] = {}


class _Actor:
    """A process that calls what it is sent. Errors are sent as loky sends them, with the traceback in words."""

    def call(self, payload: bytes, parcel: list[tuple[Path, list[Any]]]) -> tuple[str, bytes]:
        _LENT.update(parcel)
        try:
            function, arguments = pickle.loads(payload)
            return "done", cloudpickle.dumps(function(*arguments))
        except BaseException as error:
            return "error", _packed(error)


def _packed(error: BaseException) -> bytes:
    # A lazy module has no private names.
    with_traceback = importlib.import_module("joblib.externals.loky.process_executor")._ExceptionWithTraceback
    try:
        return bytes(cloudpickle.dumps(with_traceback(error)))
    except Exception:  # whatever an exception's own pickling raises
        plain = RuntimeError(f"{type(error).__name__}: {error}").with_traceback(error.__traceback__)
        return bytes(cloudpickle.dumps(with_traceback(plain)))


def contents(path: Path) -> bytes:
    """A file, which in an actor is one of the machine that asked."""
    return bytes(ray.get(_LENT[path][0])) if path in _LENT else path.read_bytes()


def node() -> Node:
    """Where this actor runs."""
    here = ray.get_runtime_context().get_node_id()
    names = {each["NodeID"]: each["NodeName"] for each in ray.nodes()}
    return Node(names.get(here) or here[:8], os.getpid(), computer(), maker())
