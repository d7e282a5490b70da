"""What a run has done so far, and the report of it."""

from collections import Counter
from dataclasses import dataclass, field

from findimg.library.manifest import Manifest
from findimg_jobs.reporting.memory import peak_memory
from findimg_jobs.reporting.run_report import RunReport, TextReport, add_up_shards
from findimg_jobs.reporting.stage_clock import StageClock
from findimg_jobs.store.committed_images import CommittedImages
from findimg_jobs.store.plan import Plan
from findimg_jobs.store.shards import ShardStats
from findimg_jobs.tables.source_records import Failure


@dataclass(frozen=True, slots=True)
class LiveVersion:
    """The live version of a library."""

    name: str | None  # None before the first version
    manifest: Manifest | None  # None also if it cannot be read


@dataclass(slots=True)
class RunProgress:
    """What a run has done so far."""

    live: LiveVersion  # on which the plan is based
    plan: Plan
    committed: list[CommittedImages]  # everything committed, for each encoder
    failures: list[Failure]
    listing_failures: int  # images without a valid name, and unreadable folders
    skipped: Counter[str]  # reason → number of files and folders
    reused: int  # images that were embedded before the run
    removed: int  # images of the live version that the sources no longer hold
    may_shrink: bool  # whether the version may have less than half of the live version's images
    shards: list[list[ShardStats]] = field(default_factory=list)  # embedded in this run, for each encoder
    text: TextReport = field(default_factory=TextReport)


def make_report(progress: RunProgress, clock: StageClock, outcome: str, manifest: Manifest | None) -> RunReport:
    """Return the report of a run.

    Args:
        progress: what the run has done.
        clock: of the run.
        outcome: as in the report.
        manifest: the live version's, None if nothing is published.
    """
    totals = add_up_shards([shard for shards in progress.shards for shard in shards])
    # With two encoders each image counts once.
    by_encoder = [add_up_shards(shards) for shards in progress.shards]
    embedded = max(each.embedded for each in by_encoder)
    seconds = clock.stages.get("embed", 0.0)
    return RunReport(
        run=progress.plan.run,
        outcome=outcome,
        version=manifest.version if manifest else None,
        seen=len(progress.plan.images) + progress.listing_failures,
        embedded=embedded,
        reused=progress.reused + sum(shard.images - shard.embedded for shard in progress.shards[0]),
        removed=progress.removed,
        failed=len(progress.failures),
        images=manifest.images if manifest else 0,
        images_per_second=round(embedded / seconds, 1) if embedded else 0.0,
        seconds=clock.total(),
        stages=clock.stages,
        work=totals.seconds,
        bytes_read=totals.bytes_read,
        retries=totals.retries,
        peak_memory=max(totals.memory, peak_memory()),
        failures=progress.failures,
        incomplete=totals.incomplete,
        skipped=dict(progress.skipped.most_common()),
        text=progress.text,
    )
