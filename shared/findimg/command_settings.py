"""Settings as options of a command line that is made with Typer (extra `cli`)."""

import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from findimg.settings import Settings, load_settings


def takes_settings(*names: str, **described: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command an option for each named setting, with the setting's description as its help.

    The command gets the loaded settings as its first parameter. Its other parameters are arguments and options of its
    own.

    Args:
        names: fields of `Settings`.
        described: further fields, with a description for this command.

    Raises:
        SettingsError: when the command runs with a value that is not valid.
    """
    descriptions = {name: Settings.model_fields[name].description for name in names} | described

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def run(**arguments: Any) -> None:
            settings = load_settings(**{name: arguments.pop(name) for name in descriptions})
            command(settings, **arguments)

        own = list(inspect.signature(command).parameters.values())[1:]
        options = [_option(*each) for each in descriptions.items()]
        # Typer reads a command's parameters from this attribute.
        run.__signature__ = inspect.Signature([*options, *map(_by_name, own)])  # type: ignore[attr-defined]
        return run

    return decorate


def _option(name: str, description: str | None) -> inspect.Parameter:
    kind = Settings.model_fields[name].annotation
    kind = kind if kind in (int, Path) else str
    option = typer.Option(help=description, show_default=False)
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, option]
    )


def _by_name(parameter: inspect.Parameter) -> inspect.Parameter:
    return parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
