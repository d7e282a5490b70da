"""Options that several commands share, and helpers for their output."""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from findimg.settings import Settings
from findimg.terminal import printable


def setting(name: str) -> Any:
    """Return the command-line option of a setting, with the setting's description as its help."""
    return typer.Option(help=Settings.model_fields[name].description, show_default=False)


LibraryOption = Annotated[str | None, setting("library")]
CacheOption = Annotated[Path | None, setting("cache")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output and nothing else.")]


def make_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """Return a table of text."""
    table = Table(*columns, box=None)
    for row in rows:
        # A plain string would be read as Rich's markup.
        table.add_row(*(Text(printable(str(cell))) for cell in row))
    return table


def print_table(table: Table) -> None:
    """Print a table, without shortening its columns when the output is not a terminal."""
    Console(width=None if sys.stdout.isatty() else 300).print(table)
