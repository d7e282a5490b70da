"""Work through shards on Ray: this process owns the queue, actors hold the model, and only committed shards count.

Ray's own restarts and retries are off. With them, a dead actor would still receive tasks, and all retries would be used
up while the model is being built again. Instead, the queue gives an actor one shard at a time, once its model is ready.
"""

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import ray
from ray import ObjectRef
from ray.actor import ActorHandle
from ray.exceptions import RayError, RayTaskError

from findimg.errors import FindimgError, NotPublishedError
from findimg_jobs.engines.shard_task import ShardTask
from findimg_jobs.store.planned_shards import Shards
from findimg_jobs.store.shards import Shard, ShardStats

ATTEMPTS = 3
_ACTOR_CPUS = 4  # more threads do not make one model faster


@dataclass(frozen=True, slots=True)
class _ActorPlan:
    """The number of actors for a cluster, and the resources of each one."""

    actors: int
    cpus: int
    memory: int  # bytes


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

    def work(self, shard: Shard) -> ShardStats:
        return self._worker.work(shard)


class ShardQueue:
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
        self._starting: dict[ObjectRef[bool], ActorHandle[Worker]] = {}  # ref of ready() → its actor
        self._running: dict[
            ObjectRef[ShardStats], tuple[ActorHandle[Worker], Shard]
        ] = {}  # ref of work() → its actor and shard
        self._idle: list[ActorHandle[Worker]] = []
        self._failed_starts = 0

    def run(self) -> Iterator[ShardStats]:
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

    def _started(self, ref: "ObjectRef[bool]") -> None:
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

    def _finished(self, ref: "ObjectRef[ShardStats]") -> Iterator[ShardStats]:
        actor, shard = self._running.pop(ref)
        try:
            stats = ray.get(ref)
        except RayTaskError as error:
            raise as_findimg_error(error) from error
        except RayError as error:
            ray.kill(actor)
            yield from self._retry(shard, error)
            return
        self._idle.append(actor)
        yield stats

    def _retry(self, shard: Shard, error: RayError) -> Iterator[ShardStats]:
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
                half = self._task.make_shard(images)
                # A half whose worker dies is halved at once. Only a single image is tried three times.
                self._deaths[half.name] = ATTEMPTS - 1 if len(images) > 1 else 0
                self._again.append(half)


def as_findimg_error(error: RayTaskError) -> FindimgError:
    """Return a worker's error as one of findimg's."""
    if isinstance(error.cause, FindimgError):
        return error.cause
    return NotPublishedError(f"A worker failed: {error.cause!r}. Everything embedded so far is kept.")
