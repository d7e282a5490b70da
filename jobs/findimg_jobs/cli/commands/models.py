"""The `models` commands: weights and word vectors on this machine."""

from typing import Annotated

import typer

from findimg.command_settings import takes_settings
from findimg.models.store import ModelStore
from findimg.settings import Settings
from findimg_jobs.cli.output import make_table, print_table
from findimg_jobs.reporting.progress_bar import download_bar

app = typer.Typer(no_args_is_help=True, help="Manage weights and word vectors on this machine.")


@app.command("list")
@takes_settings("cache")
def list_models(settings: Settings) -> None:
    """List the known models and where they are."""
    rows = [
        (
            status.name,
            status.kind,
            status.state,
            f"{status.size / 1e6:.0f}" if status.size else "",
            status.path or status.note,
        )
        for status in _store(settings).list()
    ]
    print_table(make_table(("Model", "Kind", "State", "MB", "Where or what"), rows))


@app.command()
@takes_settings("cache")
def pull(
    settings: Settings,
    name: str,
    source: Annotated[
        str | None,
        typer.Option("--from", help="A file or folder, or its address. By default the official download."),
    ] = None,
) -> None:
    """Bring weights or word vectors onto this machine."""
    print(_store(settings).pull(name, source))


@app.command()
@takes_settings("cache")
def path(settings: Settings, name: str) -> None:
    """Print the path of weights or word vectors."""
    print(_store(settings).path(name))


def _store(settings: Settings) -> ModelStore:
    return ModelStore(settings.cache / "models", progress=download_bar)
