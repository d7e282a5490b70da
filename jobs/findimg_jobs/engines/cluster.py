"""The engine on Ray: this process owns the queue, actors hold the model, only committed shards count.

Ray's own restarts and retries stay off: a dead actor would go on receiving work, and retries burn while the model is
being built again. So the queue hands an actor one shard at a time, and only once its model is ready.
"""

import logging
import os
import socket
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

# Ray reads these when it is imported and when it starts.
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_USAGE_STATS_REPORT_URL", "http://127.0.0.1:9")  # it reports even that it reports nothing

import ray
from ray._private.runtime_env.constants import RAY_JOB_CONFIG_JSON_ENV_VAR
from ray.exceptions import RayError, RayTaskError

import findimg
import findimg_jobs
from findimg.errors import FindimgError, NotPublishedError, SettingsError
from findimg_jobs.indexing.embed import Embedder, EmbedTask, commit_as_failed
from findimg_jobs.store.shards import Shard, Stats, name_shard

In = TypeVar("In")
Out = TypeVar("Out")

ATTEMPTS = 3
_ACTOR_MEMORY = 3_200_000_000  # bytes; VGG16 with TensorFlow while its weights are loaded and copied to bfloat16
_PATIENCE = 10.0  # seconds for a cluster to answer
_ACTOR_CPUS = 4  # more threads than this no longer speed up one model


@dataclass(frozen=True, slots=True)
class _Size:
    """How many actors a cluster carries, and what each may use."""

    actors: int
    cpus: int
    memory: int  # bytes


def embed_on_ray(shards: Sequence[Shard], work: EmbedTask, address: str) -> Iterator[Stats]:
    """Embeds and commits the shards on Ray, yielding what each came to, in the order in which they finish.

    A shard whose worker dies is given to another; after three deaths it is halved, until the image that kills
    workers stands alone and is recorded as a failure.

    Args:
        address: a running cluster to join, or empty to start Ray on this machine.

    Raises:
        SettingsError: no cluster answers at `address`.
        NotPublishedError: no worker can be started; what is committed stays.
        FindimgError: what a worker raised, such as a library that cannot be written.
    """
    with connected(address):
        yield from _Queue(shards, work).run()


def map_on_ray(function: Callable[[In], Out], items: Iterable[In]) -> Iterator[Out]:
    """Calls a function with every item as a task of one CPU and yields the results in order, once Ray is joined.

    A task whose worker dies is done again, which must do no harm.

    Raises:
        FindimgError: what a task raised.
        NotPublishedError: a task raised something else, or its workers die.
    """
    task = ray.remote(function).options(num_cpus=1, max_retries=ATTEMPTS)
    for ref in [task.remote(item) for item in items]:
        try:
            yield ray.get(ref)
        except RayTaskError as error:
            raise _raised(error) from error
        except RayError as error:
            raise NotPublishedError(f"Workers die: {error} What is embedded is kept.") from error


@contextmanager
def connected(address: str) -> Iterator[None]:
    """Ray for what is done inside: this process's, else the cluster's at `address`, else one on this machine.

    Raises:
        SettingsError: no cluster answers at `address`.
    """
    owned = not ray.is_initialized()
    if owned:
        _connect(address)
    try:
        yield
    finally:
        if owned:
            ray.shutdown()


def _raised(error: RayTaskError) -> FindimgError:
    """What a worker raised, as it is told to a person."""
    if isinstance(error.cause, FindimgError):
        return error.cause
    return NotPublishedError(f"A worker failed: {error.cause!r}. What is embedded is kept.")


def _connect(address: str) -> None:
    # Ray turns token authentication on by itself; that it says so at every start helps nobody.
    logging.getLogger("ray._private.authentication").setLevel(logging.ERROR)
    options: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False, "configure_logging": False}
    try:
        if address:
            if address != "auto":
                # Ray itself would try for many minutes.
                host, _, port = address.removeprefix("ray://").rpartition(":")
                socket.create_connection((host, int(port)), timeout=_PATIENCE).close()
            # A job that was submitted has brought its code along; else the cluster's may be another than ours.
            if RAY_JOB_CONFIG_JSON_ENV_VAR not in os.environ:
                options["runtime_env"] = {"py_modules": [each.__path__[0] for each in (findimg, findimg_jobs)]}
            ray.init(address=address, **options)
        else:
            # Pixels and vectors never pass through the object store, so it may be small.
            ray.init("local", include_dashboard=False, object_store_memory=256 * 2**20, **options)
    except Exception as error:  # a raylet that does not come up is a plain Exception to Ray
        if address:
            raise SettingsError(f"No Ray cluster answers at {address}: {error}. Check --ray-address.") from error
        reason = " ".join(str(error).split())
        raise NotPublishedError(
            f"Ray cannot be started on this machine: {reason} Run again, or with --engine local."
        ) from error


def _size(shards: int) -> _Size:
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU", 0) >= 1]
    cpus = min([_ACTOR_CPUS, *(int(node["CPU"]) for node in nodes)])
    fitting = sum(min(int(node["CPU"]) // cpus, max(1, int(node["memory"] // _ACTOR_MEMORY))) for node in nodes)
    smallest = min((int(node["memory"]) for node in nodes), default=_ACTOR_MEMORY)
    return _Size(max(1, min(shards, fitting)), cpus, min(_ACTOR_MEMORY, smallest))


class _Queue:
    def __init__(self, shards: Sequence[Shard], work: EmbedTask):
        self._waiting = deque(shards)
        self._deaths: Counter[str] = Counter()
        self._work = work
        self._size = _size(len(shards))
        self._shared = ray.put(work)
        self._starting: dict[Any, Any] = {}  # the ref of ready() → its actor
        self._running: dict[Any, tuple[Any, Shard]] = {}  # the ref of embed() → its actor and shard
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

    def _fill(self) -> None:
        while self._waiting and self._idle:
            worker, shard = self._idle.pop(), self._waiting.popleft()
            self._running[worker.embed.remote(shard)] = worker, shard
        wanted = min(self._size.actors, len(self._waiting) + len(self._running))
        for _ in range(wanted - len(self._running) - len(self._idle) - len(self._starting)):
            actor: Any = ray.remote(Embedder).options(
                num_cpus=self._size.cpus, memory=self._size.memory, max_restarts=0, max_task_retries=0
            )
            worker = actor.remote(self._shared, self._size.cpus)
            self._starting[worker.ready.remote()] = worker

    def _started(self, ref: Any) -> None:
        actor = self._starting.pop(ref)
        try:
            ray.get(ref)
        except RayError as error:
            self._failed_starts += 1
            if self._failed_starts >= ATTEMPTS:
                raise NotPublishedError(f"No worker can be started: {error} What is embedded is kept.") from error
            return
        self._failed_starts = 0
        self._idle.append(actor)

    def _finished(self, ref: Any) -> Iterator[Stats]:
        actor, shard = self._running.pop(ref)
        try:
            stats = ray.get(ref)
        except RayTaskError as error:
            raise _raised(error) from error
        except RayError as error:
            ray.kill(actor)
            yield from self._bury(shard, error)
            return
        self._idle.append(actor)
        yield stats

    def _bury(self, shard: Shard, error: RayError) -> Iterator[Stats]:
        self._deaths[shard.name] += 1
        if self._deaths[shard.name] < ATTEMPTS:
            self._waiting.append(shard)
        elif len(shard.images) == 1:
            reason = f"Its worker died {ATTEMPTS} times ({type(error).__name__}); the image may need too much memory."
            yield commit_as_failed(self._work, shard, reason)
        else:
            middle = len(shard.images) // 2
            for images in (shard.images[:middle], shard.images[middle:]):
                half = name_shard(images, self._work.fingerprint)
                # A half that kills again is halved at once; only an image alone is tried three times.
                self._deaths[half.name] = ATTEMPTS - 1 if len(images) > 1 else 0
                self._waiting.append(half)
