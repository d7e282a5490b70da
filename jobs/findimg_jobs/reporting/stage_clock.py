"""Measure how long each stage of a run takes."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class StageClock:
    """The wall-clock seconds of each stage, and of the whole run."""

    stages: dict[str, float] = field(default_factory=dict)
    start: float = field(default_factory=time.perf_counter)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure the block inside as the stage `name`. Blocks of one name are added up."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.stages[name] = round(self.stages.get(name, 0.0) + time.perf_counter() - start, 2)

    def total(self) -> float:
        """Return the seconds since the clock was created."""
        return round(time.perf_counter() - self.start, 2)
