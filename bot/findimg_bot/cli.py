"""`findimg-bot`: searches a library in the terminal and in Slack."""

import asyncio
import json
import logging
import sys
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from findimg.command_settings import takes_settings
from findimg.contact_sheet import draw_sheet
from findimg.errors import FindimgError, SettingsError
from findimg.images import LIMIT_BYTES, decode
from findimg.images.decode import ignore_pillow_warnings
from findimg.search.image_features import ImageFeatures
from findimg.search.ranking import MAX_HITS
from findimg.settings import Settings
from findimg.storage.base import read_uri
from findimg.terminal import print_lines, printable
from findimg_bot.logs import start_log
from findimg_bot.question_results import Results, WordResults, find_results, related_words
from findimg_bot.questions import read_terminal_command
from findimg_bot.served_library import ServedLibrary
from findimg_bot.terminal import as_json, print_results, sheet_row

app = typer.Typer(no_args_is_help=True)
# Settings of a bot in Slack: the flags of `serve` and `doctor`. Tokens and secrets are no flags, so that they do not
# appear in lists of processes.
_BOT_SETTINGS = (
    "library",
    "words",
    "weights",
    "read_text",
    "text_scripts",
    "cache",
    "state",
    "image_base_url",
    "thumbnail_base_url",
    "allow_channels",
    "allow_users",
    "allow_teams",
    "teachers",
    "learn",
    "index_channels",
    "live_indexing",
    "slack_api_url",
    "slack_client_id",
    "slack_surfaces",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"findimg {version('findimg')}")
        raise typer.Exit


@app.callback()
def findimg_bot(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Find a team's pictures."""


@app.command()
@takes_settings("library", "words", "weights", "cache")
def ask(
    settings: Settings,
    texts: Annotated[
        list[str],
        typer.Argument(
            metavar="TEXT…", help="What to search for, or commands as in Slack: /findimg, /similar, /tag, /words."
        ),
    ],
    image: Annotated[str | None, typer.Option(help="Image for /similar and /tag.")] = None,
    k: Annotated[int, typer.Option("-k", min=1, max=MAX_HITS, help="Maximum number of hits, tags or words.")] = 10,
    sheet: Annotated[
        Path | None, typer.Option(help="Write a contact sheet to this JPEG, with one row for each TEXT.")
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print only one JSON object for each TEXT.")] = False,
) -> None:
    """Search the library and print the results."""
    served_library = ServedLibrary(settings)
    picture = read_uri(image, LIMIT_BYTES + 1) if image else None
    features: ImageFeatures | None = None
    rows = []
    for text in texts:
        question = read_terminal_command(text)
        if question.command == "/words":
            results: Results = related_words(served_library.words(), question.text, k)
        else:
            with served_library.lend_everything() as searcher:
                if picture and question.command in ("/similar", "/tag"):
                    features = features or served_library.embed(picture)
                    question = replace(question, features=features)
                results = find_results(searcher, question, k)
        if json_:
            print(json.dumps(as_json(results, None if isinstance(results, WordResults) else served_library.library)))
        else:
            print_results(Console(), text, results)
        if sheet:
            rows.append(sheet_row(text, results, served_library.library, decode(picture).pixels if picture else None))
    if sheet:
        try:
            sheet.write_bytes(draw_sheet(rows))
        except OSError as error:
            raise SettingsError(f"Cannot write the contact sheet to {sheet}: {error.strerror}.") from error
        if not json_:
            print_lines([f"Contact sheet: {sheet}"])


@app.command()
@takes_settings(*_BOT_SETTINGS)
def serve(
    settings: Settings,
    http: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="Listen here for requests from Slack. Default: use Socket Mode."),
    ] = None,
    monitor: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="Serve health and metrics here. --http includes them."),
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="Include the log of the Slack libraries.")] = False,
) -> None:
    """Answer in Slack until stopped. Tokens and secrets come from FINDIMG_SLACK_* variables."""
    from findimg_bot.server import serve as run_server

    start_log(logging.INFO, logging.INFO if verbose else logging.WARNING)
    asyncio.run(run_server(settings, http, monitor))


@dataclass(frozen=True, slots=True)
class ManifestArguments:
    """Options of `findimg-bot manifest`."""

    url: Annotated[
        str | None,
        typer.Option(
            metavar="https://HOST", help="Public address of the bot. Default: write a manifest for Socket Mode."
        ),
    ] = None
    shortcut: Annotated[bool, typer.Option("--shortcut", help="Add the shortcut Find a picture.")] = False
    assistant: Annotated[
        bool, typer.Option("--assistant", help="Add the assistant panel. An app cannot remove it again.")
    ] = False
    unfurl: Annotated[
        bool, typer.Option("--unfurl", help="Add previews of links to images. Needs --image-base-url.")
    ] = False
    workflow_step: Annotated[
        bool, typer.Option("--workflow-step", help="Add the step Find pictures for Workflow Builder.")
    ] = False
    search: Annotated[bool, typer.Option("--search", help="Add pictures to the results of Slack's search.")] = False
    channels: Annotated[
        bool, typer.Option("--channels", help="Add the scopes that indexing pictures of channels needs.")
    ] = False
    live: Annotated[
        bool, typer.Option("--live", help="Add the scopes and events that indexing pictures of channels at once needs.")
    ] = False


@app.command()
@takes_settings("image_base_url")
def manifest(settings: Settings, arguments: ManifestArguments) -> None:
    """Print the app's manifest. Paste it into https://api.slack.com/apps under Create New App."""
    from findimg_bot.slack.manifest import Surfaces, read_manifest

    surfaces = Surfaces(
        shortcut=arguments.shortcut,
        assistant=arguments.assistant,
        unfurl=arguments.unfurl,
        workflow_step=arguments.workflow_step,
        search=arguments.search,
        channels=arguments.channels,
        live=arguments.live,
    )
    base = settings.image_base_url if arguments.unfurl else ""
    print(json.dumps(read_manifest(arguments.url, surfaces, base), indent=2))


@dataclass(frozen=True, slots=True)
class TryArguments:
    """Options of `findimg-bot try`."""

    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the page. 0 chooses a free one.")] = 0
    host: Annotated[
        str,
        typer.Option(
            help="Address of the page. In a container use 0.0.0.0 and publish the port under the same number."
        ),
    ] = "127.0.0.1"
    browser: Annotated[bool, typer.Option(help="Open the page in a browser.")] = True
    monitor: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Serve the bot's health and metrics here.")
    ] = None
    bot_at: Annotated[
        str | None,
        typer.Option(
            metavar="http://HOST:PORT",
            help="Address of a bot that runs with `serve --http`. Starts only the workspace and prints its settings.",
        ),
    ] = None
    verbose: Annotated[bool, typer.Option("--verbose", help="Include the bot's log.")] = False


@app.command("try")
@takes_settings("library", "words", "weights", "cache", "image_base_url")
def try_it(settings: Settings, arguments: TryArguments) -> None:
    """Open a local workspace in the browser, which works like a small Slack with the real bot."""
    from findimg_bot.try_out import run_try_out

    start_log(logging.INFO if arguments.verbose else logging.WARNING)
    asyncio.run(
        run_try_out(settings, arguments.port, arguments.browser, arguments.host, arguments.monitor, arguments.bot_at)
    )


@app.command()
@takes_settings(*_BOT_SETTINGS)
def doctor(
    settings: Settings,
    http: Annotated[bool, typer.Option("--http", help="Check the settings for HTTP instead of Socket Mode.")] = False,
) -> None:
    """Check everything that the bot needs, and print how to fix each problem."""
    from findimg_bot.doctor.examination import examine

    console = Console(highlight=False)
    findings = asyncio.run(examine(settings, http))
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        mark = ("ok  ", "green") if finding.ok else ("fix ", "bold red")
        console.print(Text.assemble(mark, f"  {finding.name:<{width}}  {printable(finding.text)}"), soft_wrap=True)
    if not all(finding.ok for finding in findings):
        raise typer.Exit(FindimgError.exit_code)


@app.command("copy-state")
@takes_settings("state")
def copy_state(
    settings: Settings,
    source: Annotated[str, typer.Argument(metavar="FROM", help="The state to copy: a SQLite file or an address.")],
) -> None:
    """Copy the bot's state into the empty database of --state, for example into PostgreSQL. Stop all bots first."""
    from findimg_bot.state.copying import copy_state as copy

    copied = copy(source, settings.state)
    print_lines([f"{rows:,} rows of {table}" for table, rows in copied.items()])


def main() -> None:
    """Run the command line. An error becomes one sentence on standard error and an exit code."""
    ignore_pillow_warnings()
    try:
        app()
    except FindimgError as error:
        print_lines([error], to_stderr=True)
        sys.exit(error.exit_code)
