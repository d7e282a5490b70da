"""Settings, and the fields of dataclasses, as options of a command that is made with Typer (extra `cli`)."""

import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from findimg.settings import Settings, load_settings


def takes_settings(*names: str, **described: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command an option for each named setting, with the setting's description as its help.

    The command gets the loaded settings as its first parameter. Its other parameters are arguments and options of its
    own; see `takes_dataclasses`.

    Args:
        names: fields of `Settings`.
        described: further fields, with a description for this command.

    Raises:
        SettingsError: when the command runs with a value that is not valid.
    """
    descriptions = {name: Settings.model_fields[name].description for name in names} | described

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        with_options = takes_dataclasses(command)

        @wraps(command)
        def run(**arguments: Any) -> None:
            settings = load_settings(**{name: arguments.pop(name) for name in descriptions})
            with_options(settings=settings, **arguments)

        own = list(inspect.signature(with_options).parameters.values())[1:]
        options = [_option(*each) for each in descriptions.items()]
        # Typer reads a command's parameters from this attribute.
        run.__signature__ = inspect.Signature([*options, *own])  # type: ignore[attr-defined]
        return run

    return decorate


def takes_dataclasses(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command one argument or option for each field of the dataclasses among its parameters.

    A field is declared as Typer wants a parameter: `strict: Annotated[bool, typer.Option(help="…")] = False`. The
    command gets one object of each dataclass. Its other parameters stay as they are.
    """
    parameters = inspect.signature(command).parameters.values()
    groups: dict[str, Any] = {each.name: each.annotation for each in parameters if is_dataclass(each.annotation)}

    @wraps(command)
    def run(**arguments: Any) -> None:
        for name, group in groups.items():
            arguments[name] = group(**{field.name: arguments.pop(field.name) for field in fields(group)})
        command(**arguments)

    spread: list[inspect.Parameter] = []
    for each in parameters:
        spread += _fields_of(each.annotation) if each.name in groups else [_by_name(each)]
    run.__signature__ = inspect.Signature(spread)  # type: ignore[attr-defined]
    return run


def _option(name: str, description: str | None) -> inspect.Parameter:
    kind = Settings.model_fields[name].annotation
    kind = kind if kind in (int, Path) else str
    option = typer.Option(help=description, show_default=False)
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, option]
    )


def _fields_of(group: type[Any]) -> list[inspect.Parameter]:
    return [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if field.default is MISSING else field.default,
            annotation=field.type,
        )
        for field in fields(group)
    ]


def _by_name(parameter: inspect.Parameter) -> inspect.Parameter:
    return parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
