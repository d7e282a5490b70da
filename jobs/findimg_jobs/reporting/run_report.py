"""The report of a run: stored in the library as `runs/<run>.json` and printed at the end."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field

from findimg.storage.base import Storage
from findimg.terminal import counted, printable
from findimg_jobs.store.shards import ShardStats
from findimg_jobs.tables.source_records import Failure

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
class TextReport:
    """What a run read."""

    images: int = 0  # different images that were looked at
    read: int = 0  # of them read, because text was probable or all are read
    failed: int = 0  # images whose text could not be read
    seconds: float = 0.0
    work: dict[str, float] = field(default_factory=dict)  # seconds of each step, added over threads

    def followed_by(self, later: "TextReport") -> "TextReport":
        """Return what was read in all. The seconds of `later` include those of this report."""
        return TextReport(
            images=self.images + later.images,
            read=self.read + later.read,
            failed=self.failed + later.failed,
            seconds=max(self.seconds, later.seconds),
            work={step: self.work.get(step, 0.0) + later.work.get(step, 0.0) for step in {**self.work, **later.work}},
        )

    @property
    def images_per_second(self) -> float:
        """Return how many images were looked at or read in a second."""
        return round(self.images / self.seconds, 1) if self.seconds else 0.0

    def lines(self) -> list[str]:
        """Return the report as lines of text, empty if there was nothing to do."""
        if not self.images and not self.failed:
            return []
        failed = f", {self.failed} failed" if self.failed else ""
        return [
            f"Text: {self.read} of {self.images} images read{failed}; {self.images_per_second:.1f} images/s in "
            f"{self.seconds:.1f} s."
        ]


@dataclass(frozen=True, slots=True)
class RunReport:
    """What a run did."""

    run: str
    outcome: str  # "published", "unchanged", or why nothing was published
    version: str | None  # the live version after the run
    seen: int  # images in the sources
    embedded: int  # computed in this run
    reused: int  # embedded before this run, or copies of an embedded image
    removed: int  # in the live version before the run, but no longer in the sources
    failed: int  # number of `failures`: images and folders that could not be read
    images: int  # in the live version after the run
    images_per_second: float  # embedded images per second of the embed stage
    seconds: float
    stages: dict[str, float]  # wall seconds of each stage of the run
    work: dict[str, float]  # seconds of each step of the embed stage, summed over threads
    bytes_read: int
    retries: int  # requests to storages that were retried while embedding
    peak_memory: int  # bytes, of the largest process: this one or a worker
    failures: list[Failure]
    incomplete: int = 0  # images embedded in this run although the end of their file is missing
    skipped: dict[str, int] = field(default_factory=dict)  # reason → number of files and folders
    text: TextReport = field(default_factory=TextReport)

    def summary(self) -> dict[str, str | int | float | None]:
        """Return the values that `index --json` prints."""
        return {name: getattr(self, name) for name in _CONTRACT}

    def top_errors(self) -> list[tuple[str, int, str]]:
        """Return at most five (reason, count, URI of an example), the most frequent reason first."""
        reasons = Counter(failure.reason for failure in self.failures)
        examples = {failure.reason: failure.uri for failure in reversed(self.failures)}
        return [(reason, count, examples[reason]) for reason, count in reasons.most_common(5)]

    def lines(self) -> list[str]:
        """Return the report as lines of text."""
        stages = ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in self.stages.items())
        speed = f"{self.images_per_second:.0f} images/s while embedding, " if self.embedded else ""
        lines = [
            f"{counted(self.seen, 'image')} seen: {self.embedded} embedded, {self.reused} reused, "
            f"{self.failed} failed; {self.removed} removed.",
            f"{speed}{self.seconds:.1f} s in all ({stages})."
            + (
                f" {counted(self.retries, 'request')} to storages {'was' if self.retries == 1 else 'were'} retried."
                if self.retries
                else ""
            ),
            f"{self.bytes_read / 1e6:.1f} MB read; peak memory of one process {self.peak_memory / 1e6:.0f} MB.",
        ]
        lines += self.text.lines()
        errors = self.top_errors()
        lines += [f"{count} × {reason} For example {printable(uri)}" for reason, count, uri in errors]
        others = self.failed - sum(count for _, count, _ in errors)
        if others:
            lines.append(f"{counted(others, 'other failure')}.")
        if self.failed:
            lines.append(f"runs/{self.run}.json in the library lists every failure.")
        if self.incomplete:
            lines.append(_describe_incomplete(self.incomplete))
        if self.skipped:
            lines.append(f"Skipped: {describe_skipped(self.skipped)}.")
        live = (
            f"Version {self.version} with {counted(self.images, 'image')} is live."
            if self.version
            else "Nothing is live."
        )
        return [
            *lines,
            {"published": f"Published. {live}", "unchanged": f"Nothing changed. {live}"}.get(self.outcome, live),
        ]


def _describe_incomplete(count: int) -> str:
    are, they_are = ("is", "It is") if count == 1 else ("are", "They are")
    return f"{counted(count, 'image')} {are} incomplete: the end of the file is missing. {they_are} indexed."


def describe_skipped(skipped: dict[str, int], most: int = 8) -> str:
    """Return the most frequent reasons for skipped files with their counts, for example "2 hidden, 1 @eaDir"."""
    ordered = sorted(skipped.items(), key=lambda item: (-item[1], item[0]))
    text = ", ".join(f"{count} {reason}" for reason, count in ordered[:most])
    rest = sum(count for _, count in ordered[most:])
    return f"{text}, {rest} others" if rest else text


def write_report(storage: Storage, report: RunReport) -> None:
    """Write `runs/<run>.json`, with every failure."""
    content = asdict(report) | {
        "top_errors": [{"reason": reason, "count": count, "example": uri} for reason, count, uri in report.top_errors()]
    }
    storage.write(f"runs/{report.run}.json", json.dumps(content, indent=1).encode())


@dataclass(frozen=True, slots=True)
class ShardTotals:
    """The statistics of all shards of a run, added up."""

    embedded: int
    bytes_read: int
    retries: int
    incomplete: int
    memory: int  # bytes, of the worker with the highest peak
    seconds: dict[str, float]  # by step, summed over threads


def add_up_shards(stats: Iterable[ShardStats]) -> ShardTotals:
    """Return the totals of the shards' statistics."""
    embedded, bytes_read, retries, incomplete, memory, seconds = 0, 0, 0, 0, 0, Counter[str]()
    for shard in stats:
        embedded += shard.embedded
        bytes_read += shard.bytes_read
        retries += shard.retries
        incomplete += shard.incomplete
        memory = max(memory, shard.memory)
        seconds.update(shard.seconds)
    rounded: dict[str, float] = {step: round(spent, 2) for step, spent in seconds.items()}
    return ShardTotals(embedded, bytes_read, retries, incomplete, memory, rounded)
