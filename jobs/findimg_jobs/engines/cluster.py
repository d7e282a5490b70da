"""Work through shards on Ray: this process owns the queue, actors hold the model, and only committed shards count.

Ray's own restarts and retries are off. With them, a dead actor would still receive task, and all retries would be used
up while the model is being built again. Instead, the queue gives an actor one shard at a time, once its model is ready.
"""

import logging
import os
import socket
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

# Ray reads these when it is imported and when it starts.
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
# Ray starts workers at niceness 15, so every other process of the machine would slow them down.
os.environ.setdefault("RAY_worker_niceness", "0")
os.environ.setdefault("RAY_USAGE_STATS_REPORT_URL", "http://127.0.0.1:9")  # a request is sent even with reporting off

import ray
from ray._private.runtime_env.constants import RAY_JOB_CONFIG_JSON_ENV_VAR
from ray.exceptions import RayError, RayTaskError
from ray.job_config import JobConfig

import findimg
import findimg_jobs
from findimg.errors import FindimgError, NotPublishedError, SettingsError
from findimg_jobs.engines.task import ShardTask
from findimg_jobs.store.planned_shards import Shards
from findimg_jobs.store.shards import Shard, Stats

In = TypeVar("In")
Out = TypeVar("Out")

ATTEMPTS = 3
_CONNECT_TIMEOUT = 10.0  # seconds
_LONGEST_TEMP_DIR = 41  # characters; Ray's sockets are in this folder, and their paths have at most 107 characters
_ACTOR_CPUS = 4  # more threads do not make one model faster


@dataclass(frozen=True, slots=True)
class _ActorPlan:
    """The number of actors for a cluster, and the resources of each one."""

    actors: int
    cpus: int
    memory: int  # bytes


def run_on_ray(shards: Shards, task: ShardTask, address: str) -> Iterator[Stats]:
    """Work through the shards on Ray and commit them. Yield the statistics of each one as it finishes.

    A shard whose worker dies is given to another worker. After three deaths it is halved, until the image that kills
    workers is alone in a shard. That image is recorded as a failure.

    Args:
        shards: the shards.
        task: what a worker needs besides its shards.
        address: a running cluster, or empty to start Ray on this machine.

    Raises:
        SettingsError: no cluster can be reached at `address`.
        NotPublishedError: no worker can be started. Committed shards stay.
        FindimgError: an error of a worker, for example a library that cannot be written.
    """
    with connected(address):
        yield from _Queue(shards, task).run()


def map_on_ray(function: Callable[[In], Out], items: Iterable[In]) -> Iterator[Out]:
    """Call a function with every item, each as a Ray task with one CPU, and yield the results in order.

    Ray must be connected. A task whose worker died is repeated. A task is made when it is about to start, so that the
    items of a large library are not in memory together.

    Raises:
        FindimgError: an error of a task.
        NotPublishedError: a task raised another exception, or its workers died.
    """
    task = ray.remote(function).options(num_cpus=1, max_retries=ATTEMPTS)
    rest = iter(items)
    # Two tasks for each core keep the cluster busy while the first one is waited for.
    running = deque(task.remote(item) for item in islice(rest, 2 * max(1, int(ray.cluster_resources().get("CPU", 1)))))
    while running:
        ref = running.popleft()
        try:
            result = ray.get(ref)
        except RayTaskError as error:
            raise _translated(error) from error
        except RayError as error:
            raise NotPublishedError(
                f"A worker died {ATTEMPTS + 1} times: {error} Everything embedded so far is kept. Run again."
            ) from error
        running.extend(task.remote(item) for item in islice(rest, 1))
        yield result


@contextmanager
def connected(address: str) -> Iterator[None]:
    """Keep Ray connected: this process's connection, else the cluster at `address`, else Ray on this machine.

    Raises:
        SettingsError: no cluster can be reached at `address`.
        NotPublishedError: Ray cannot be started on this machine.
    """
    owned = not ray.is_initialized()
    if owned:
        _connect(address)
    try:
        yield
    finally:
        if owned:
            ray.shutdown()


def _translated(error: RayTaskError) -> FindimgError:
    """Return a worker's error as one of findimg's."""
    if isinstance(error.cause, FindimgError):
        return error.cause
    return NotPublishedError(f"A worker failed: {error.cause!r}. Everything embedded so far is kept.")


def _connect(address: str) -> None:
    # Hide Ray's message at every start that token authentication is on.
    logging.getLogger("ray._private.authentication").setLevel(logging.ERROR)
    options: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False, "configure_logging": False}
    try:
        if RAY_JOB_CONFIG_JSON_ENV_VAR not in os.environ:
            options["job_config"] = _job_config()
        if address:
            if address != "auto":
                # Without this check Ray would retry for many minutes.
                host, _, port = address.removeprefix("ray://").rpartition(":")
                socket.create_connection((host, int(port)), timeout=_CONNECT_TIMEOUT).close()
            # A submitted job brings its code along. Otherwise the cluster may have another version of findimg.
            if RAY_JOB_CONFIG_JSON_ENV_VAR not in os.environ:
                options["runtime_env"] = {"py_modules": [each.__path__[0] for each in (findimg, findimg_jobs)]}
            ray.init(address=address, **options)
        else:
            if temp_dir := _short_temp_dir():
                options["_temp_dir"] = temp_dir
            # Pixels and vectors never pass through the object store, so it can be small.
            ray.init("local", include_dashboard=False, object_store_memory=256 * 2**20, **options)
    except Exception as error:  # Ray raises a plain Exception when its raylet does not start
        if address:
            raise SettingsError(f"No Ray cluster can be reached at {address}: {error}. Check --ray-address.") from error
        reason = " ".join(str(error).split())
        raise NotPublishedError(
            f"Ray cannot be started on this machine: {reason} Run again, or use --engine local."
        ) from error


def _short_temp_dir() -> str | None:
    """Return a folder for Ray's sockets, None if Ray's own choice is short enough.

    Raises:
        NotPublishedError: no short folder can be written.
    """
    chosen = os.environ.get("RAY_TMPDIR") or os.environ.get("TMPDIR") or "/tmp"
    if len(os.path.abspath(chosen)) <= _LONGEST_TEMP_DIR:
        return None
    for folder in ("/tmp", "/var/tmp", "/dev/shm"):
        if os.access(folder, os.W_OK | os.X_OK):
            return f"{folder}/ray"
    raise NotPublishedError(
        f"Ray cannot be started: the path of the temporary folder {chosen} has more than {_LONGEST_TEMP_DIR} "
        "characters. Set RAY_TMPDIR to a shorter path, or use --engine local."
    )


class _NoDriverPaths(list[str]):
    """A list of import paths to which Ray cannot add the working folder of this process.

    Python files there, such as `numpy.py`, would hide the installed modules in the workers.
    """

    def extend(self, _paths: Iterable[str]) -> None:
        """Add nothing."""


def _job_config() -> JobConfig:
    config = JobConfig()
    config._py_driver_sys_path = _NoDriverPaths()
    return config


def _plan_actors(shards: int, memory: int) -> _ActorPlan:
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU", 0) >= 1]
    cpus = min([_ACTOR_CPUS, *(int(node["CPU"]) for node in nodes)])
    fitting = sum(min(int(node["CPU"]) // cpus, max(1, int(node["memory"] // memory))) for node in nodes)
    smallest = min((int(node["memory"]) for node in nodes), default=memory)
    return _ActorPlan(max(1, min(shards, fitting)), cpus, min(memory, smallest))


class Worker:
    """A worker in a process of its own."""

    def __init__(self, task: ShardTask, threads: int):
        self._worker = task.open(threads)

    def ready(self) -> bool:
        return self._worker.ready()

    def work(self, shard: Shard) -> Stats:
        return self._worker.work(shard)


class _Queue:
    """The shards that wait, the actors, and the shard that each actor works on.

    A shard is made when an actor is free.
    """

    def __init__(self, shards: Shards, task: ShardTask):
        self._new = iter(shards)
        self._left = len(shards)  # shards that `_new` still yields
        self._again = deque[Shard]()  # shards whose worker died, and halves of them
        self._deaths: Counter[str] = Counter()
        self._task = task
        self._actors = _plan_actors(len(shards), task.memory)
        self._shared = ray.put(task)
        self._starting: dict[Any, Any] = {}  # ref of ready() → its actor
        self._running: dict[Any, tuple[Any, Shard]] = {}  # ref of work() → its actor and shard
        self._idle: list[Any] = []
        self._failed_starts = 0

    def run(self) -> Iterator[Stats]:
        while self._waiting or self._running:
            self._fill()
            done, _ = ray.wait([*self._running, *self._starting], num_returns=1)
            for ref in done:
                if ref in self._starting:
                    self._started(ref)
                else:
                    yield from self._finished(ref)

    @property
    def _waiting(self) -> int:
        """The number of shards that no actor has."""
        return self._left + len(self._again)

    def _next(self) -> Shard:
        if self._left:
            self._left -= 1
            return next(self._new)
        return self._again.popleft()

    def _fill(self) -> None:
        while self._waiting and self._idle:
            worker, shard = self._idle.pop(), self._next()
            self._running[worker.work.remote(shard)] = worker, shard
        wanted = min(self._actors.actors, self._waiting + len(self._running))
        for _ in range(wanted - len(self._running) - len(self._idle) - len(self._starting)):
            actor: Any = ray.remote(Worker).options(
                num_cpus=self._actors.cpus, memory=self._actors.memory, max_restarts=0, max_task_retries=0
            )
            worker = actor.remote(self._shared, self._actors.cpus)
            self._starting[worker.ready.remote()] = worker

    def _started(self, ref: Any) -> None:
        actor = self._starting.pop(ref)
        try:
            ray.get(ref)
        except RayError as error:
            self._failed_starts += 1
            if self._failed_starts >= ATTEMPTS:
                raise NotPublishedError(
                    f"No worker can be started: {error} Everything embedded so far is kept. Run again."
                ) from error
            return
        self._failed_starts = 0
        self._idle.append(actor)

    def _finished(self, ref: Any) -> Iterator[Stats]:
        actor, shard = self._running.pop(ref)
        try:
            stats = ray.get(ref)
        except RayTaskError as error:
            raise _translated(error) from error
        except RayError as error:
            ray.kill(actor)
            yield from self._retry(shard, error)
            return
        self._idle.append(actor)
        yield stats

    def _retry(self, shard: Shard, error: RayError) -> Iterator[Stats]:
        """Queue a shard whose worker died again, halve it, or record its only image as a failure."""
        self._deaths[shard.name] += 1
        if self._deaths[shard.name] < ATTEMPTS:
            self._again.append(shard)
        elif len(shard.images) == 1:
            reason = f"Its worker died {ATTEMPTS} times ({type(error).__name__}); the image may need too much memory."
            yield self._task.commit_as_failed(shard, reason)
        else:
            middle = len(shard.images) // 2
            for images in (shard.images[:middle], shard.images[middle:]):
                half = self._task.name(images)
                # A half whose worker dies is halved at once. Only a single image is tried three times.
                self._deaths[half.name] = ATTEMPTS - 1 if len(images) > 1 else 0
                self._again.append(half)
