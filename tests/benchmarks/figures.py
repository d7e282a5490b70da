"""Measured values, the rounds in which they are measured, and the machine."""

import os
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value."""

    name: str
    value: float  # the median where there were several runs
    unit: str
    beside: str = ""  # what the ratio is to
    ratio: float | None = None  # more than 1 is better than the peer
    cpu_ratio: float | None = None  # the same of CPU time, which other work on the machine disturbs less
    load: float = 0  # of the machine when it was measured, in processes that wanted to run

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Spent:
    """The median time of several runs."""

    wall: float  # seconds
    cpu: float  # seconds, added over threads


def in_turns(runs: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, Spent]:
    """Return the time that each way of doing one thing takes, measured in turns after a first round of each."""
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
    for run in runs.values():
        run()
    for _ in range(rounds):
        for name, run in runs.items():
            start, cpu = time.perf_counter(), time.process_time()
            run()
            spent[name].append((time.perf_counter() - start, time.process_time() - cpu))
    return {name: Spent(*map(median, zip(*each, strict=True))) for name, each in spent.items()}


def load() -> float:
    """Return the number of processes that wanted to run during the last minute."""
    return round(os.getloadavg()[0], 2)


def machine() -> dict[str, Any]:
    """Return a description of this machine."""
    names = [line for line in _read("/proc/cpuinfo").splitlines() if line.startswith("model name")]
    flags = _read("/proc/cpuinfo")
    return {
        "cpu": names[0].partition(":")[2].strip() if names else platform.processor() or platform.machine(),
        "cpus": os.cpu_count(),
        "bfloat16": "avx512_bf16" in flags or "amx_bf16" in flags,
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "load": load(),
    }


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""
