"""Run reports: what a run did, kept in the library as `runs/<run>.json` and told in a few lines at the end."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from findimg.storage.base import Storage
from findimg_jobs.indexing.sources import Failure
from findimg_jobs.store.shards import Stats

_CONTRACT = (
    "run",
    "version",
    "seen",
    "embedded",
    "reused",
    "removed",
    "failed",
    "images",
    "images_per_second",
    "seconds",
)


@dataclass(frozen=True, slots=True)
class RunReport:
    """A finished run."""

    run: str
    outcome: str  # "published", "unchanged", or why nothing was published
    version: str | None  # the live version afterwards
    seen: int  # images in the sources
    embedded: int  # really computed in this run
    reused: int  # in the sources and embedded before, or a copy of an embedded image
    removed: int  # in the live version before, no longer in the sources
    failed: int
    images: int  # in the live version afterwards
    images_per_second: float  # embedded, over the seconds of the embed stage
    seconds: float
    stages: dict[str, float]  # wall seconds of each stage of the run
    work: dict[str, float]  # seconds inside the embed stage, added over threads
    bytes_read: int
    retries: int  # requests that S3 was asked again while embedding
    peak_memory: int  # bytes, of the process that held most: this one or a worker
    failures: list[Failure]

    def summary(self) -> dict[str, str | int | float | None]:
        """What `index --json` ends with."""
        return {name: getattr(self, name) for name in _CONTRACT}

    def top_errors(self) -> list[tuple[str, int, str]]:
        """(reason, how many, an example's URI), the commonest reason first, at most five."""
        reasons = Counter(failure.reason for failure in self.failures)
        examples = {failure.reason: failure.uri for failure in reversed(self.failures)}
        return [(reason, count, examples[reason]) for reason, count in reasons.most_common(5)]

    def lines(self) -> list[str]:
        """The report for a person, a line each."""
        stages = ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in self.stages.items())
        speed = f"{self.images_per_second:.0f} images/s while embedding, " if self.embedded else ""
        told = [
            f"{self.seen} images seen: {self.embedded} embedded, {self.reused} reused, {self.failed} failed; "
            f"{self.removed} removed.",
            f"{speed}{self.seconds:.1f} s in all ({stages})."
            + (f" S3 was asked again {self.retries} times." if self.retries else ""),
            f"{self.bytes_read / 1e6:.1f} MB read; at most {self.peak_memory / 1e6:.0f} MB of memory in one process.",
        ]
        told += [f"{count} × {reason} For example {uri}" for reason, count, uri in self.top_errors()]
        live = f"Version {self.version} with {self.images} images is live." if self.version else "Nothing is live."
        return [
            *told,
            {"published": f"Published. {live}", "unchanged": f"Nothing changed. {live}"}.get(self.outcome, live),
        ]


def write_report(storage: Storage, report: RunReport) -> None:
    """Writes `runs/<run>.json`, with every failure."""
    content = asdict(report) | {
        "top_errors": [{"reason": reason, "count": count, "example": uri} for reason, count, uri in report.top_errors()]
    }
    storage.write(f"runs/{report.run}.json", json.dumps(content, indent=1).encode())


def add_up_shards(stats: Iterable[Stats]) -> tuple[int, int, int, int, dict[str, float]]:
    """Adds shards up: (images embedded, bytes read, retries, most memory of a worker, seconds by kind of work)."""
    embedded, bytes_read, retries, memory, work = 0, 0, 0, 0, Counter[str]()
    for shard in stats:
        embedded += shard.embedded
        bytes_read += shard.bytes_read
        retries += shard.retries
        memory = max(memory, shard.memory)
        work.update(shard.seconds)
    return embedded, bytes_read, retries, memory, {kind: round(seconds, 2) for kind, seconds in work.items()}
