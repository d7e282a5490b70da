"""What commands print: the option --json, tables, and the message of an interrupted run."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from findimg.terminal import printable

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output and nothing else.")]


@contextmanager
def continued_by_a_rerun(done: str) -> Iterator[None]:
    """Exit with 130 on Ctrl-C, and say that a rerun continues.

    Args:
        done: what is kept, such as "embedded".
    """
    try:
        yield
    except KeyboardInterrupt:
        print(
            f"Interrupted. Everything {done} so far is kept: run the same command again, and it continues.",
            file=sys.stderr,
        )
        raise typer.Exit(130) from None


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
