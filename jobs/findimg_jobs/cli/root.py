"""The root of the `findimg-jobs` command: its sub-commands, its version and its exit codes."""

import json
import logging
import signal
import sys
from importlib.metadata import version
from typing import Annotated

import typer

from findimg.errors import FindimgError
from findimg_jobs.cli.cleanup import forget, prune
from findimg_jobs.cli.duplicates import duplicates
from findimg_jobs.cli.indexing import index, merge
from findimg_jobs.cli.models import app as models
from findimg_jobs.cli.samples import samples
from findimg_jobs.cli.training import evaluate, quantize, train
from findimg_jobs.cli.versions import rollback, verify, versions

app = typer.Typer(no_args_is_help=True)
for _command in (
    index,
    train,
    merge,
    evaluate,
    verify,
    versions,
    rollback,
    duplicates,
    prune,
    forget,
    quantize,
    samples,
):
    app.command()(_command)
app.add_typer(models, name="models")


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


class _StatusFormatter(logging.Formatter):
    """Formats messages as text, except status messages that do not go to a terminal: they are JSON, like progress."""

    def format(self, record: logging.LogRecord) -> str:
        message = super().format(record)
        if record.levelno > logging.INFO or sys.stderr.isatty():
            return message
        return json.dumps({"status": message, "images_per_second": 0.0})


def main() -> None:
    """Run the command line. Print a findimg error as one sentence, and exit with its code."""
    handler = logging.StreamHandler()
    handler.setFormatter(_StatusFormatter())
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    logging.getLogger("findimg_jobs").setLevel(logging.INFO)
    # A scheduler stops a run with SIGTERM. Exit normally, so that the lock is released.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        app()
    except FindimgError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
