"""The root of the `findimg-jobs` command: its sub-commands, its version and its exit codes.

A new command is a function in `cli/commands/` and its name in `_COMMANDS`; see the docstring there. Only `teach`, whose
options may be repeated, and groups of sub-commands are registered apart.
"""

import atexit
import json
import logging
import os
import shutil
import signal
import sys
import tempfile
import threading
from importlib.metadata import version
from typing import Annotated

import typer

from findimg.errors import FindimgError
from findimg.terminal import LineFormatter, print_lines
from findimg_jobs.cli.commands.cleanup import forget, prune
from findimg_jobs.cli.commands.duplicates import duplicates
from findimg_jobs.cli.commands.encoders import app as encoders
from findimg_jobs.cli.commands.index import add, index
from findimg_jobs.cli.commands.models import app as models
from findimg_jobs.cli.commands.rebuild import compact, rebuild
from findimg_jobs.cli.commands.samples import samples
from findimg_jobs.cli.commands.teach import RepeatedOptions, teach
from findimg_jobs.cli.commands.text_and_captions import read_captions, read_text
from findimg_jobs.cli.commands.training import evaluate, quantize, train
from findimg_jobs.cli.commands.versions import rollback, verify, versions
from findimg_jobs.cli.commands.watch import watch

_REPEAT_DELAY = 0.1  # seconds, enough to leave the destructor
_log = logging.getLogger(__name__)
app = typer.Typer(no_args_is_help=True)
_COMMANDS = {
    "index": index,
    "add": add,
    "read-text": read_text,
    "watch": watch,
    "train": train,
    "merge": rebuild,
    "compact": compact,
    "evaluate": evaluate,
    "verify": verify,
    "versions": versions,
    "rollback": rollback,
    "duplicates": duplicates,
    "read-captions": read_captions,
    "prune": prune,
    "forget": forget,
    "quantize": quantize,
    "samples": samples,
}
for _name, _command in _COMMANDS.items():
    app.command(_name)(_command)
app.command("teach", cls=RepeatedOptions)(teach)
app.add_typer(encoders, name="encoders")
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


class _StatusFormatter(LineFormatter):
    """Formats messages as text, except status messages that do not go to a terminal: they are JSON, like progress."""

    def format(self, record: logging.LogRecord) -> str:
        if record.levelno > logging.INFO or sys.stderr.isatty():
            return super().format(record)
        return json.dumps({"status": record.getMessage(), "images_per_second": 0.0})


def _ensure_home() -> None:
    """Give this process a home folder if its user has none, as in a container. Ray and Keras need one."""
    if os.path.expanduser("~") != "~":
        return
    home = os.environ.get("FINDIMG_CACHE")
    if not home:
        home = tempfile.mkdtemp(prefix="findimg-home-")
        atexit.register(shutil.rmtree, home, ignore_errors=True)
        _log.warning("This user has no home folder, so models are cached for this run only. Set HOME or FINDIMG_CACHE.")
    os.environ["HOME"] = os.path.abspath(home)


def repeat_lost_signal(unraisable: "sys.UnraisableHookArgs") -> None:
    """Send Ctrl-C or SIGTERM again if it arrived in a destructor, where Python drops the exception.

    Args:
        unraisable: the dropped exception, as `sys.unraisablehook` gets it.
    """
    lost = {KeyboardInterrupt: signal.SIGINT, SystemExit: signal.SIGTERM}.get(unraisable.exc_type)
    if lost is None:
        sys.__unraisablehook__(unraisable)
    else:
        threading.Timer(_REPEAT_DELAY, os.kill, (os.getpid(), lost)).start()


def main() -> None:
    """Run the command line. Print a findimg error as one sentence, and exit with its code."""
    handler = logging.StreamHandler()
    handler.setFormatter(_StatusFormatter())
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    logging.getLogger("findimg_jobs").setLevel(logging.INFO)
    _ensure_home()
    # A scheduler stops a run with SIGTERM. Exit normally, so that the lock is released.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    sys.unraisablehook = repeat_lost_signal
    try:
        app()
    except FindimgError as error:
        print_lines([error], to_stderr=True)
        sys.exit(error.exit_code)
