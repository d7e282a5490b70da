"""Call findimg-jobs in the process of the test, which saves a second of imports a call."""

import contextlib
import io
import logging
import os
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

from findimg_jobs.cli import main

COMMAND = Path(sys.executable).with_name("findimg-jobs")


def call(folder: Path, *arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Return what the command prints and its exit code, as a process of its own would.

    Args:
        folder: the working folder.
        arguments: after the command's name.
        variables: environment variables beside those of this process.
    """
    given = ["findimg-jobs", *map(str, arguments)]
    printed, errors = io.StringIO(), io.StringIO()
    root, ours = logging.getLogger(), logging.getLogger("findimg_jobs")
    levels = root.level, ours.level
    code: object = 0
    with (
        contextlib.chdir(folder),
        patch.dict(os.environ, variables),
        patch.object(sys, "argv", given),
        patch.object(root, "handlers", []),
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(errors),
    ):
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
        finally:
            root.setLevel(levels[0])
            ours.setLevel(levels[1])
    return subprocess.CompletedProcess(given, int(str(code)), printed.getvalue(), errors.getvalue())
