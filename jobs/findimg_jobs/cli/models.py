"""The `models` commands: weights and word vectors on this machine."""

from pathlib import Path
from typing import Annotated

import typer

from findimg.models.store import ModelStore
from findimg.settings import load_settings
from findimg_jobs.cli.options import CacheOption, make_table, print_table
from findimg_jobs.reporting.progress import download_bar

app = typer.Typer(no_args_is_help=True, help="Manage weights and word vectors on this machine.")


@app.command("list")
def list_models(cache: CacheOption = None) -> None:
    """List the known models and where they are."""
    rows = [
        (
            status.name,
            status.kind,
            status.state,
            f"{status.size / 1e6:.0f}" if status.size else "",
            status.path or status.note,
        )
        for status in _store(cache).list()
    ]
    print_table(make_table(("Model", "Kind", "State", "MB", "Where or what"), rows))


@app.command()
def pull(
    name: str,
    source: Annotated[
        str | None, typer.Option("--from", help="A file, folder or s3:// URI. By default the official download.")
    ] = None,
    cache: CacheOption = None,
) -> None:
    """Bring weights or word vectors onto this machine."""
    print(_store(cache).pull(name, source))


@app.command()
def path(name: str, cache: CacheOption = None) -> None:
    """Print the path of weights or word vectors."""
    print(_store(cache).path(name))


def _store(cache: Path | None) -> ModelStore:
    return ModelStore(load_settings(cache=cache).cache / "models", progress=download_bar)
