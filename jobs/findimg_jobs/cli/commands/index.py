"""Commands that bring images into a library: index and add."""

import json
import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from findimg.command_settings import takes_settings
from findimg.errors import SettingsError
from findimg.library.library import Library
from findimg.plugins import PATIENCE
from findimg.settings import Settings
from findimg.storage.base import describe_sources
from findimg.terminal import print_lines
from findimg_jobs.cli.output import JsonOption, continued_by_a_rerun
from findimg_jobs.indexing.add import add as run_add
from findimg_jobs.indexing.run import IndexOptions
from findimg_jobs.indexing.run import index as run_index
from findimg_jobs.listing.skip_rules import SkipRules
from findimg_jobs.listing.source_arguments import join_words, read_source_list, split_sources
from findimg_jobs.reporting.notifications import notify_when_done
from findimg_jobs.reporting.run_report import RunReport

ExcludeOption = Annotated[
    list[str] | None,
    typer.Option(metavar="PATTERN", help="Skip matching files and folders, in gitignore syntax. Can be repeated."),
]
IncludeOption = Annotated[
    list[str] | None,
    typer.Option(metavar="PATTERN", help="Index matching files although a rule skips them. Can be repeated."),
]


@dataclass(frozen=True, slots=True)
class IndexArguments:
    """Arguments and options of `findimg-jobs index`."""

    sources: Annotated[
        list[str] | None,
        typer.Argument(metavar="SOURCE…", help="Folders, images, and addresses such as s3://bucket/prefix."),
    ] = None
    from_file: Annotated[
        str | None,
        typer.Option(
            "--from-file", metavar="FILE", help="Read further sources from this file, one a line. - is standard input."
        ),
    ] = None
    sources_text: Annotated[
        str | None,
        typer.Option(
            "--sources",
            metavar="TEXT",
            help="Further sources in one text, for schedules: one a line, or words. Quotes keep a name with blanks "
            "together.",
        ),
    ] = None
    exclude: ExcludeOption = None
    include: IncludeOption = None
    strict: Annotated[bool, typer.Option("--strict", help="Publish nothing if any image cannot be read.")] = False
    allow_shrink: Annotated[
        bool, typer.Option("--allow-shrink", help="Publish even if more than half of the images are gone.")
    ] = False
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Read broken images again although they did not change.")
    ] = False
    from_thumbnails: Annotated[
        bool,
        typer.Option(
            "--from-thumbnails",
            help="With two encoders: the second one embeds thumbnails of images that the first one has embedded, and "
            "reads no image again.",
        ),
    ] = False
    metrics_file: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="Write the run's metrics to this file, for Prometheus' textfile collector."),
    ] = None
    as_json: JsonOption = False


@takes_settings(
    "library",
    "backbone",
    "weights",
    "words",
    "head",
    "visual_dim",
    "engine",
    "ray_address",
    "shard_size",
    "partition_size",
    "read_text",
    "text_scripts",
    "cache",
    "index_channels",
    "report_channel",
)
def index(settings: Settings, arguments: IndexArguments) -> None:
    """Bring a library up to date with its sources and publish it."""
    named = [*join_words(arguments.sources or ()), *split_sources(arguments.sources_text or "")]
    if arguments.from_file:
        named += read_source_list(arguments.from_file)
    if not named:
        raise SettingsError(f"No source is named. Give {describe_sources()}.")
    options = IndexOptions(
        strict=arguments.strict,
        allow_shrink=arguments.allow_shrink,
        retry_failed=arguments.retry_failed,
        rules=SkipRules(tuple(arguments.exclude or ()), tuple(arguments.include or ())),
        from_list=bool(arguments.from_file),
        from_thumbnails=arguments.from_thumbnails,
    )
    with continued_by_a_rerun("embedded"), notify_when_done(settings, arguments.metrics_file) as on_end:
        report = run_index(settings, named, options, on_end)
    if arguments.as_json:
        print(json.dumps(report.summary()))
    else:
        print_lines([*report.lines(), *_next_steps(settings, report)])


def _next_steps(settings: Settings, report: RunReport) -> list[str]:
    """Return what to type next."""
    manifest = Library(settings.library, settings.cache).live_manifest()
    if not (report.images and manifest):
        return []
    question = "'/findimg cat'" if manifest.knows_words else "/similar --image FILE"
    library = "" if os.environ.get("FINDIMG_LIBRARY") else f" --library {shlex.quote(settings.library)}"
    return [f"Search it: findimg-bot ask {question}{library}, or in a browser: findimg-bot try{library}"]


@takes_settings("library", "weights", "cache")
def add(
    settings: Settings,
    uris: Annotated[list[str], typer.Argument(metavar="URI…", help="Images inside the library's sources.")],
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for another run.")] = PATIENCE,
) -> None:
    """Add new or changed images to the live version at once, without listing the sources."""
    print_lines(run_add(settings, uris, wait).lines())
