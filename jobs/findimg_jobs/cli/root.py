"""The root of the `findimg-jobs` command: its sub-commands, its version and its exit codes."""

import logging
import signal
import sys
from importlib.metadata import version
from typing import Annotated

import typer

from findimg.errors import FindimgError
from findimg_jobs.cli import cleanup, duplicates, indexing, models, samples, training, versions

app = typer.Typer(no_args_is_help=True)
for _command in (
    indexing.index,
    training.train,
    indexing.merge,
    training.evaluate,
    versions.verify,
    versions.versions,
    versions.rollback,
    duplicates.duplicates,
    cleanup.prune,
    cleanup.forget,
    training.quantize,
    samples.samples,
):
    app.command()(_command)
app.add_typer(models.app, name="models")


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"findimg-jobs {version('findimg')}")
        raise typer.Exit


@app.callback()
def root(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    """Index photographs and maintain libraries."""


def main() -> None:
    """Run the command line. Print a findimg error as one sentence, and exit with its code."""
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    logging.getLogger("findimg_jobs").setLevel(logging.INFO)
    # A scheduler stops a run with SIGTERM. Exit normally, so that the lock is released.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        app()
    except FindimgError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
