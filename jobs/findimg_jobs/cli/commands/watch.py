"""The command that keeps a library up to date: watch."""

import json
import sys
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Annotated

import typer

from findimg.command_settings import takes_settings
from findimg.errors import FindimgError, SettingsError
from findimg.settings import Settings
from findimg.terminal import print_lines
from findimg_jobs.cli.commands.index import ExcludeOption, IncludeOption
from findimg_jobs.cli.output import JsonOption
from findimg_jobs.indexing.run import IndexOptions
from findimg_jobs.indexing.run import index as run_index
from findimg_jobs.listing.skip_rules import SkipRules
from findimg_jobs.watching.changes import ChangeWatcher, WatchTimes, watch_folders
from findimg_jobs.watching.sqs import watch_queue


@dataclass(frozen=True, slots=True)
class WatchArguments:
    """Arguments and options of `findimg-jobs watch`."""

    sources: Annotated[
        list[str], typer.Argument(metavar="SOURCE…", help="Folders, images, and addresses such as s3://bucket/prefix.")
    ]
    settle: Annotated[float, typer.Option(min=0, help="Seconds without a change before a run starts.")] = 10.0
    every: Annotated[
        float,
        typer.Option(min=1, help="Seconds between checks without an event, for S3 and for folders of other machines."),
    ] = 300.0
    queue: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="SQS queue that receives the events of the S3 sources, and serves no other use."
        ),
    ] = None
    exclude: ExcludeOption = None
    include: IncludeOption = None
    as_json: JsonOption = False


@takes_settings("library", "engine", "ray_address", "read_text", "text_scripts", "cache")
def watch(settings: Settings, arguments: WatchArguments) -> None:
    """Index the sources, and again whenever something in them changes. Stop with Ctrl-C."""
    if not settings.library:
        raise SettingsError("No library is named. Give --library or set FINDIMG_LIBRARY.")
    options = IndexOptions(rules=SkipRules(tuple(arguments.exclude or ()), tuple(arguments.include or ())))
    options.rules.check()
    watcher = ChangeWatcher(settings.library, WatchTimes(arguments.settle, arguments.every))
    in_queue = (
        watch_queue(arguments.queue, arguments.sources, settings.library, watcher) if arguments.queue else nullcontext()
    )
    try:
        with watch_folders(arguments.sources, watcher), in_queue:
            while True:
                _run_once(settings, arguments.sources, options, arguments.as_json)
                watcher.wait()
    except KeyboardInterrupt:
        print("Stopped. Everything embedded so far is kept.", file=sys.stderr)


def _run_once(settings: Settings, sources: list[str], options: IndexOptions, as_json: bool) -> None:
    """Index once. An error is printed, and the next run may succeed."""
    try:
        report = run_index(settings, sources, options)
    except FindimgError as error:
        print_lines([error], to_stderr=True)
        return
    if as_json:
        print(json.dumps(report.summary()), flush=True)
    elif report.outcome == "published" or report.failed:
        print_lines(report.lines())
