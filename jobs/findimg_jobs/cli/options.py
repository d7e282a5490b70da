"""Options that several commands share, and helpers for their output."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from findimg.settings import Settings


def setting(name: str) -> Any:
    """Return the command-line option of a setting, with the setting's description as its help."""
    return typer.Option(help=Settings.model_fields[name].description, show_default=False)


LibraryOption = Annotated[str | None, setting("library")]
CacheOption = Annotated[Path | None, setting("cache")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output and nothing else.")]


def print_table(table: Table) -> None:
    """Print a table, without shortening its columns when the output is not a terminal."""
    Console(width=None if sys.stdout.isatty() else 300).print(table)
