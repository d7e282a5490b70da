"""`findimg-bot`: asking a library, in the terminal and in Slack."""

import asyncio
import json
import logging
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from findimg.contact_sheet import draw_sheet
from findimg.errors import FindimgError, SettingsError
from findimg.images import LIMIT_BYTES, decode
from findimg.search.searcher import MOST_HITS, ImageFeatures
from findimg.settings import Settings, load_settings
from findimg.storage.base import read_uri
from findimg_bot.service.answers import Answer, Related, answer, read_question, related
from findimg_bot.service.live_library import LiveLibrary
from findimg_bot.terminal import as_json, sheet_row, show

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def findimg_bot() -> None:
    """Find a team's pictures."""


def _flag(name: str) -> Any:
    return typer.Option(help=Settings.model_fields[name].description, show_default=False)


LibraryFlag = Annotated[str | None, _flag("library")]
WordsFlag = Annotated[str | None, _flag("words")]
WeightsFlag = Annotated[str | None, _flag("weights")]
CacheFlag = Annotated[Path | None, _flag("cache")]
StateFlag = Annotated[Path | None, _flag("state")]
ImageBaseUrlFlag = Annotated[str | None, _flag("image_base_url")]
ThumbnailBaseUrlFlag = Annotated[str | None, _flag("thumbnail_base_url")]
AllowChannelsFlag = Annotated[str | None, _flag("allow_channels")]
AllowUsersFlag = Annotated[str | None, _flag("allow_users")]
SlackApiUrlFlag = Annotated[str | None, _flag("slack_api_url")]
SlackClientIdFlag = Annotated[str | None, _flag("slack_client_id")]


@app.command()
def ask(
    texts: Annotated[
        list[str], typer.Argument(metavar="TEXT…", help="Commands as typed in Slack: /findimg, /similar, /tag, /words.")
    ],
    library: LibraryFlag = None,
    image: Annotated[str | None, typer.Option(help="The image that /similar and /tag are about.")] = None,
    k: Annotated[int, typer.Option("-k", min=1, max=MOST_HITS, help="How many hits, tags or words at the most.")] = 10,
    sheet: Annotated[
        Path | None, typer.Option(help="Draw a contact sheet into this JPEG, a row for each TEXT.")
    ] = None,
    words: WordsFlag = None,
    weights: WeightsFlag = None,
    cache: CacheFlag = None,
    json_: Annotated[
        bool, typer.Option("--json", help="One JSON object a TEXT on standard output, nothing else.")
    ] = False,
) -> None:
    """Ask what a person would type in Slack."""
    live = LiveLibrary(load_settings(library=library, words=words, weights=weights, cache=cache))
    picture = read_uri(image, LIMIT_BYTES + 1) if image else None
    seen: ImageFeatures | None = None
    rows = []
    for text in texts:
        question = read_question(text)
        if question.command == "/words":
            answered: Answer = related(live.words(), question.text, k)
        else:
            with live.lease() as searcher:
                if picture and question.command in ("/similar", "/tag"):
                    seen = seen or live.see(picture)
                    question = replace(question, seen=seen)
                answered = answer(searcher, question, k)
        if json_:
            print(json.dumps(as_json(answered, None if isinstance(answered, Related) else live.library)))
        else:
            show(Console(), text, answered)
        if sheet:
            rows.append(sheet_row(text, answered, live.library, decode(picture).pixels if picture else None))
    if sheet:
        try:
            sheet.write_bytes(draw_sheet(rows))
        except OSError as error:
            raise SettingsError(f"The contact sheet cannot be written to {sheet}: {error.strerror}.") from error
        if not json_:
            print(f"Contact sheet: {sheet}")


@app.command()
def serve(
    http: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Be reached by Slack here; else connect in Socket Mode.")
    ] = None,
    monitor: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="Show health and metrics here; --http has them anyway."),
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
    slack_api_url: SlackApiUrlFlag = None,
    slack_client_id: SlackClientIdFlag = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="Log what the Slack libraries do, too.")] = False,
) -> None:
    """Answer in Slack until stopped; tokens and secrets come from FINDIMG_SLACK_* variables."""
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
        slack_api_url=slack_api_url,
        slack_client_id=slack_client_id,
    )
    start_log(logging.INFO, logging.INFO if verbose else logging.WARNING)
    asyncio.run(run_server(settings, http, monitor))


@app.command()
def manifest(
    url: Annotated[
        str | None,
        typer.Option(metavar="https://HOST", help="Where Slack reaches the bot; else for Socket Mode."),
    ] = None,
) -> None:
    """Print the app's manifest, to be pasted into https://api.slack.com/apps under Create New App."""
    from findimg_bot.slack.manifest import read_manifest

    print(json.dumps(read_manifest(url), indent=2))


@app.command("try")
def try_it(
    library: LibraryFlag = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of the page on 127.0.0.1; else a free one.")] = 0,
    host: Annotated[
        str, typer.Option(help="What the page listens at: 0.0.0.0 in a container, whose port must keep its number.")
    ] = "127.0.0.1",
    browser: Annotated[bool, typer.Option(help="Open the page when there is a browser.")] = True,
    monitor: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Show the bot's health and metrics here.")
    ] = None,
    bot_at: Annotated[
        str | None,
        typer.Option(
            metavar="http://HOST:PORT",
            help="The workspace alone, for a bot that `serve --http` runs here; says what settings that needs.",
        ),
    ] = None,
    words: WordsFlag = None,
    weights: WeightsFlag = None,
    cache: CacheFlag = None,
    image_base_url: ImageBaseUrlFlag = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="Log what the bot does.")] = False,
) -> None:
    """Open a workspace that looks and works like a small Slack in the browser, with the real bot behind it."""
    from findimg_bot.try_out import run_trial

    settings = load_settings(library=library, words=words, weights=weights, cache=cache, image_base_url=image_base_url)
    start_log(logging.INFO if verbose else logging.WARNING)
    asyncio.run(run_trial(settings, port, browser, host, monitor, bot_at))


@app.command()
def doctor(
    http: Annotated[bool, typer.Option("--http", help="The bot is to be reached over HTTP.")] = False,
    library: LibraryFlag = None,
    words: WordsFlag = None,
    weights: WeightsFlag = None,
    cache: CacheFlag = None,
    state: StateFlag = None,
    thumbnail_base_url: ThumbnailBaseUrlFlag = None,
    allow_channels: AllowChannelsFlag = None,
    allow_users: AllowUsersFlag = None,
    slack_api_url: SlackApiUrlFlag = None,
    slack_client_id: SlackClientIdFlag = None,
) -> None:
    """Look at everything the bot needs: each line says ok, or how to mend it."""
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
        slack_api_url=slack_api_url,
        slack_client_id=slack_client_id,
    )
    console = Console(highlight=False)
    findings = asyncio.run(examine(settings, http))
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        mark = ("ok  ", "green") if finding.well else ("mend", "bold red")
        console.print(Text.assemble(mark, f"  {finding.name:<{width}}  {finding.text}"), soft_wrap=True)
    if not all(finding.well for finding in findings):
        raise typer.Exit(FindimgError.exit_code)


def start_log(level: int, libraries: int = logging.WARNING) -> None:
    """Logs to standard error, never what people ask nor a token.

    Args:
        level: from which our own words are logged on.
        libraries: from which those of the Slack libraries are.
    """
    # A descriptor of its own: standard error leads nowhere for the seconds in which TensorFlow loads.
    stream = os.fdopen(os.dup(sys.stderr.fileno()), "w", buffering=1, closefd=False)
    logging.basicConfig(stream=stream, format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    logging.getLogger("bot").setLevel(level)
    for name in ("slack_sdk", "slack_bolt"):
        logging.getLogger(name).setLevel(libraries)


def main() -> None:
    """Runs the command line; an error becomes one sentence on standard error and its exit code."""
    try:
        app()
    except FindimgError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
