"""Commands that build and publish versions: index and merge."""

import json
from pathlib import Path
from typing import Annotated

import typer

from findimg.settings import load_settings
from findimg_jobs.build.rebuild import rebuild
from findimg_jobs.cli.options import CacheOption, JsonOption, LibraryOption, setting
from findimg_jobs.indexing.run import IndexOptions
from findimg_jobs.indexing.run import index as run_index
from findimg_jobs.reporting.notifications import notify_when_done


def index(
    sources: Annotated[list[str], typer.Argument(metavar="SOURCE…", help="Folders and s3:// prefixes.")],
    library: LibraryOption = None,
    backbone: Annotated[str | None, setting("backbone")] = None,
    weights: Annotated[str | None, setting("weights")] = None,
    words: Annotated[str | None, setting("words")] = None,
    head: Annotated[str | None, setting("head")] = None,
    visual_dim: Annotated[str | None, setting("visual_dim")] = None,
    engine: Annotated[str | None, setting("engine")] = None,
    ray_address: Annotated[str | None, setting("ray_address")] = None,
    shard_size: Annotated[int | None, setting("shard_size")] = None,
    partition_size: Annotated[int | None, setting("partition_size")] = None,
    cache: CacheOption = None,
    strict: Annotated[bool, typer.Option("--strict", help="Publish nothing if any image cannot be read.")] = False,
    allow_shrink: Annotated[
        bool, typer.Option("--allow-shrink", help="Publish even if more than half of the images are gone.")
    ] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Read broken images again although they did not change.")
    ] = False,
    metrics_file: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="Write the run's metrics to this file, for Prometheus' textfile collector."),
    ] = None,
    report_channel: Annotated[str | None, setting("report_channel")] = None,
    as_json: JsonOption = False,
) -> None:
    """Bring a library up to date with its sources and publish it."""
    settings = load_settings(
        library=library,
        backbone=backbone,
        weights=weights,
        words=words,
        head=head,
        visual_dim=visual_dim,
        engine=engine,
        ray_address=ray_address,
        shard_size=shard_size,
        partition_size=partition_size,
        cache=cache,
        report_channel=report_channel,
    )
    options = IndexOptions(strict, allow_shrink, retry_failed)
    with notify_when_done(settings, metrics_file) as on_end:
        report = run_index(settings, sources, options, on_end)
    if as_json:
        print(json.dumps(report.summary()))
    else:
        print("\n".join(report.lines()))


def merge(
    library: LibraryOption = None,
    words: Annotated[str | None, setting("words")] = None,
    head: Annotated[str | None, setting("head")] = None,
    visual_dim: Annotated[str | None, setting("visual_dim")] = None,
    engine: Annotated[str | None, setting("engine")] = None,
    ray_address: Annotated[str | None, setting("ray_address")] = None,
    partition_size: Annotated[int | None, setting("partition_size")] = None,
    cache: CacheOption = None,
) -> None:
    """Build and publish the live version's images again, from the embedding store alone."""
    settings = load_settings(
        library=library,
        words=words,
        head=head,
        visual_dim=visual_dim,
        engine=engine,
        ray_address=ray_address,
        partition_size=partition_size,
        cache=cache,
    )
    manifest = rebuild(settings)
    print(f"Version {manifest.version} with {manifest.images} images is live.")
