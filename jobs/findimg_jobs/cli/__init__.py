"""The `findimg-jobs` command."""

from findimg_jobs.cli.root import main

__all__ = ["main"]
