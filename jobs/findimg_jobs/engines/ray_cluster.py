"""Connect to Ray, and run work on it."""

import logging
import os
import socket
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
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
from findimg.errors import NotPublishedError, SettingsError
from findimg_jobs.engines.ray_shard_queue import ATTEMPTS, ShardQueue, as_findimg_error
from findimg_jobs.engines.shard_task import ShardTask
from findimg_jobs.store.planned_shards import Shards
from findimg_jobs.store.shards import ShardStats

In = TypeVar("In")
Out = TypeVar("Out")

_CONNECT_TIMEOUT = 10.0  # seconds
_LONGEST_TEMP_DIR = 41  # characters; Ray's sockets are in this folder, and their paths have at most 107 characters


def run_on_ray(shards: Shards, task: ShardTask, address: str) -> Iterator[ShardStats]:
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
        yield from ShardQueue(shards, task).run()


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
            raise as_findimg_error(error) from error
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
