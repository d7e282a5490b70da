"""`findimg-bot`: searches a library in the terminal and in Slack."""

import asyncio
import json
import logging
import sys
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from findimg.contact_sheet import draw_sheet
from findimg.errors import FindimgError, SettingsError
from findimg.images import LIMIT_BYTES, decode
from findimg.images.decode import ignore_pillow_warnings
from findimg.search.answers.results import ImageFeatures
from findimg.search.group_ranking import MAX_HITS
from findimg.settings import Settings, load_settings
from findimg.storage.base import read_uri
from findimg.terminal import print_lines, printable
from findimg_bot.answers import Results, WordResults, answer_question, read_command, related_words
from findimg_bot.live_library import LiveLibrary
from findimg_bot.logs import start_log
from findimg_bot.terminal import as_json, print_results, sheet_row

app = typer.Typer(no_args_is_help=True)


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


def _flag(name: str) -> Any:
    return typer.Option(help=Settings.model_fields[name].description, show_default=False)


LibraryFlag = Annotated[str | None, _flag("library")]
WordsFlag = Annotated[str | None, _flag("words")]
WeightsFlag = Annotated[str | None, _flag("weights")]
CacheFlag = Annotated[Path | None, _flag("cache")]
StateFlag = Annotated[str | None, _flag("state")]
ImageBaseUrlFlag = Annotated[str | None, _flag("image_base_url")]
ThumbnailBaseUrlFlag = Annotated[str | None, _flag("thumbnail_base_url")]
AllowChannelsFlag = Annotated[str | None, _flag("allow_channels")]
AllowUsersFlag = Annotated[str | None, _flag("allow_users")]
AllowTeamsFlag = Annotated[str | None, _flag("allow_teams")]
TeachersFlag = Annotated[str | None, _flag("teachers")]
LearnFlag = Annotated[str | None, _flag("learn")]
IndexChannelsFlag = Annotated[str | None, _flag("index_channels")]
LiveIndexingFlag = Annotated[str | None, _flag("live_indexing")]
SlackApiUrlFlag = Annotated[str | None, _flag("slack_api_url")]
SlackClientIdFlag = Annotated[str | None, _flag("slack_client_id")]
SlackSurfacesFlag = Annotated[str | None, _flag("slack_surfaces")]


@app.command()
def ask(
    texts: Annotated[
        list[str],
        typer.Argument(
            metavar="TEXT…", help="What to search for, or commands as in Slack: /findimg, /similar, /tag, /words."
        ),
    ],
    library: LibraryFlag = None,
    image: Annotated[str | None, typer.Option(help="Image for /similar and /tag.")] = None,
    k: Annotated[int, typer.Option("-k", min=1, max=MAX_HITS, help="Maximum number of hits, tags or words.")] = 10,
    sheet: Annotated[
        Path | None, typer.Option(help="Write a contact sheet to this JPEG, with one row for each TEXT.")
    ] = None,
    words: WordsFlag = None,
    weights: WeightsFlag = None,
    cache: CacheFlag = None,
    json_: Annotated[bool, typer.Option("--json", help="Print only one JSON object for each TEXT.")] = False,
) -> None:
    """Search the library and print the results."""
    live = LiveLibrary(load_settings(library=library, words=words, weights=weights, cache=cache))
    picture = read_uri(image, LIMIT_BYTES + 1) if image else None
    features: ImageFeatures | None = None
    rows = []
    for text in texts:
        question = read_command(text)
        if question.command == "/words":
            results: Results = related_words(live.words(), question.text, k)
        else:
            with live.lease(None) as searcher:
                if picture and question.command in ("/similar", "/tag"):
                    features = features or live.embed(picture)
                    question = replace(question, features=features)
                results = answer_question(searcher, question, k)
        if json_:
            print(json.dumps(as_json(results, None if isinstance(results, WordResults) else live.library)))
        else:
            print_results(Console(), text, results)
        if sheet:
            rows.append(sheet_row(text, results, live.library, decode(picture).pixels if picture else None))
    if sheet:
        try:
            sheet.write_bytes(draw_sheet(rows))
        except OSError as error:
            raise SettingsError(f"Cannot write the contact sheet to {sheet}: {error.strerror}.") from error
        if not json_:
            print_lines([f"Contact sheet: {sheet}"])


@app.command()
def serve(
    http: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="Listen here for requests from Slack. Default: use Socket Mode."),
    ] = None,
    monitor: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="Serve health and metrics here. --http includes them."),
    ] = None,
    library: LibraryFlag = None,
    words: WordsFlag = None,
    weights: WeightsFlag = None,
    cache: CacheFlag = None,
    state: StateFlag = None,
    image_base_url: ImageBaseUrlFlag = None,
    thumbnail_base_url: ThumbnailBaseUrlFlag = None,
    allow_channels: AllowChannelsFlag = None,
    allow_users: AllowUsersFlag = None,
    allow_teams: AllowTeamsFlag = None,
    teachers: TeachersFlag = None,
    learn: LearnFlag = None,
    index_channels: IndexChannelsFlag = None,
    live_indexing: LiveIndexingFlag = None,
    slack_api_url: SlackApiUrlFlag = None,
    slack_client_id: SlackClientIdFlag = None,
    slack_surfaces: SlackSurfacesFlag = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="Include the log of the Slack libraries.")] = False,
) -> None:
    """Answer in Slack until stopped. Tokens and secrets come from FINDIMG_SLACK_* variables."""
    from findimg_bot.server import serve as run_server

    settings = load_settings(
        library=library,
        words=words,
        weights=weights,
        cache=cache,
        state=state,
        image_base_url=image_base_url,
        thumbnail_base_url=thumbnail_base_url,
        allow_channels=allow_channels,
        allow_users=allow_users,
        allow_teams=allow_teams,
        teachers=teachers,
        learn=learn,
        index_channels=index_channels,
        live_indexing=live_indexing,
        slack_api_url=slack_api_url,
        slack_client_id=slack_client_id,
        slack_surfaces=slack_surfaces,
    )
    start_log(logging.INFO, logging.INFO if verbose else logging.WARNING)
    asyncio.run(run_server(settings, http, monitor))


@app.command()
def manifest(
    url: Annotated[
        str | None,
        typer.Option(
            metavar="https://HOST", help="Public address of the bot. Default: write a manifest for Socket Mode."
        ),
    ] = None,
    shortcut: Annotated[bool, typer.Option("--shortcut", help="Add the shortcut Find a picture.")] = False,
    assistant: Annotated[
        bool, typer.Option("--assistant", help="Add the assistant panel. An app cannot remove it again.")
    ] = False,
    unfurl: Annotated[
        bool, typer.Option("--unfurl", help="Add previews of links to images. Needs --image-base-url.")
    ] = False,
    workflow_step: Annotated[
        bool, typer.Option("--workflow-step", help="Add the step Find pictures for Workflow Builder.")
    ] = False,
    search: Annotated[bool, typer.Option("--search", help="Add pictures to the results of Slack's search.")] = False,
    channels: Annotated[
        bool, typer.Option("--channels", help="Add the scopes that indexing pictures of channels needs.")
    ] = False,
    live: Annotated[
        bool, typer.Option("--live", help="Add the scopes and events that indexing pictures of channels at once needs.")
    ] = False,
    image_base_url: ImageBaseUrlFlag = None,
) -> None:
    """Print the app's manifest. Paste it into https://api.slack.com/apps under Create New App."""
    from findimg_bot.slack.manifest import Surfaces, read_manifest

    surfaces = Surfaces(
        shortcut=shortcut,
        assistant=assistant,
        unfurl=unfurl,
        workflow_step=workflow_step,
        search=search,
        channels=channels,
        live=live,
    )
    base = load_settings(image_base_url=image_base_url).image_base_url if unfurl else ""
    print(json.dumps(read_manifest(url, surfaces, base), indent=2))


@app.command("try")
def try_it(
    library: LibraryFlag = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the page. 0 chooses a free one.")] = 0,
    host: Annotated[
        str,
        typer.Option(
            help="Address of the page. In a container use 0.0.0.0 and publish the port under the same number."
        ),
    ] = "127.0.0.1",
    browser: Annotated[bool, typer.Option(help="Open the page in a browser.")] = True,
    monitor: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Serve the bot's health and metrics here.")
    ] = None,
    bot_at: Annotated[
        str | None,
        typer.Option(
            metavar="http://HOST:PORT",
            help="Address of a bot that runs with `serve --http`. Starts only the workspace and prints its settings.",
        ),
    ] = None,
    words: WordsFlag = None,
    weights: WeightsFlag = None,
    cache: CacheFlag = None,
    image_base_url: ImageBaseUrlFlag = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="Include the bot's log.")] = False,
) -> None:
    """Open a local workspace in the browser, which works like a small Slack with the real bot."""
    from findimg_bot.try_out import run_try_out

    settings = load_settings(library=library, words=words, weights=weights, cache=cache, image_base_url=image_base_url)
    start_log(logging.INFO if verbose else logging.WARNING)
    asyncio.run(run_try_out(settings, port, browser, host, monitor, bot_at))


@app.command()
def doctor(
    http: Annotated[bool, typer.Option("--http", help="Check the settings for HTTP instead of Socket Mode.")] = False,
    library: LibraryFlag = None,
    words: WordsFlag = None,
    weights: WeightsFlag = None,
    cache: CacheFlag = None,
    state: StateFlag = None,
    thumbnail_base_url: ThumbnailBaseUrlFlag = None,
    allow_channels: AllowChannelsFlag = None,
    allow_users: AllowUsersFlag = None,
    allow_teams: AllowTeamsFlag = None,
    teachers: TeachersFlag = None,
    slack_api_url: SlackApiUrlFlag = None,
    slack_client_id: SlackClientIdFlag = None,
    slack_surfaces: SlackSurfacesFlag = None,
) -> None:
    """Check everything that the bot needs, and print how to fix each problem."""
    from findimg_bot.doctor import examine

    settings = load_settings(
        library=library,
        words=words,
        weights=weights,
        cache=cache,
        state=state,
        thumbnail_base_url=thumbnail_base_url,
        allow_channels=allow_channels,
        allow_users=allow_users,
        allow_teams=allow_teams,
        teachers=teachers,
        slack_api_url=slack_api_url,
        slack_client_id=slack_client_id,
        slack_surfaces=slack_surfaces,
    )
    console = Console(highlight=False)
    findings = asyncio.run(examine(settings, http))
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        mark = ("ok  ", "green") if finding.ok else ("fix ", "bold red")
        console.print(Text.assemble(mark, f"  {finding.name:<{width}}  {printable(finding.text)}"), soft_wrap=True)
    if not all(finding.ok for finding in findings):
        raise typer.Exit(FindimgError.exit_code)


@app.command("copy-state")
def copy_state(
    source: Annotated[str, typer.Argument(metavar="FROM", help="The state to copy: a SQLite file or an address.")],
    state: StateFlag = None,
) -> None:
    """Copy the bot's state into the empty database of --state, for example into PostgreSQL. Stop all bots first."""
    from findimg_bot.state.copying import copy_state as copy

    copied = copy(source, load_settings(state=state).state)
    print_lines([f"{rows:,} rows of {table}" for table, rows in copied.items()])


def main() -> None:
    """Run the command line. An error becomes one sentence on standard error and an exit code."""
    ignore_pillow_warnings()
    try:
        app()
    except FindimgError as error:
        print_lines([error], to_stderr=True)
        sys.exit(error.exit_code)
