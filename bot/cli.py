"""`findimg-bot`: asking a library."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from bot.answers import Desk, Related
from bot.terminal import as_json, sheet_row, show
from shared.errors import FindimgError, SettingsError
from shared.images import LIMIT_BYTES, decode
from shared.search import MOST_HITS
from shared.settings import Settings, load_settings
from shared.sheets import draw_sheet
from shared.storage import read_uri

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def findimg_bot() -> None:
    """Find a team's pictures."""


def _flag(name: str) -> Any:
    return typer.Option(help=Settings.model_fields[name].description, show_default=False)


@app.command()
def ask(
    texts: Annotated[
        list[str], typer.Argument(metavar="TEXT…", help="Commands as typed in Slack: /findimg, /similar, /tag, /words.")
    ],
    library: Annotated[str | None, _flag("library")] = None,
    image: Annotated[str | None, typer.Option(help="The image that /similar and /tag are about.")] = None,
    k: Annotated[int, typer.Option("-k", min=1, max=MOST_HITS, help="How many hits, tags or words at the most.")] = 10,
    sheet: Annotated[
        Path | None, typer.Option(help="Draw a contact sheet into this JPEG, a row for each TEXT.")
    ] = None,
    words: Annotated[str | None, _flag("words")] = None,
    weights: Annotated[str | None, _flag("weights")] = None,
    cache: Annotated[Path | None, _flag("cache")] = None,
    json_: Annotated[
        bool, typer.Option("--json", help="One JSON object a TEXT on standard output, nothing else.")
    ] = False,
) -> None:
    """Ask what a person would type in Slack."""
    desk = Desk(load_settings(library=library, words=words, weights=weights, cache=cache))
    picture = decode(read_uri(image, LIMIT_BYTES + 1)) if image else None
    rows = []
    for text in texts:
        answer = desk.answer(text, picture if text.startswith(("/similar", "/tag")) else None, k)
        if json_:
            print(json.dumps(as_json(answer, None if isinstance(answer, Related) else desk.library)))
        else:
            show(Console(), text, answer)
        if sheet:
            rows.append(sheet_row(text, answer, desk.library, picture.pixels if picture else None))
    if sheet:
        try:
            sheet.write_bytes(draw_sheet(rows))
        except OSError as error:
            raise SettingsError(f"The contact sheet cannot be written to {sheet}: {error.strerror}.") from error
        if not json_:
            print(f"Contact sheet: {sheet}")


def main() -> None:
    """Runs the command line; an error becomes one sentence on standard error and its exit code."""
    try:
        app()
    except FindimgError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
