"""Test how the fields of dataclasses become arguments and options of a command."""

from dataclasses import dataclass
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from findimg.command_settings import takes_dataclasses, takes_settings
from findimg.settings import Settings


@dataclass(frozen=True, slots=True)
class Arguments:
    names: Annotated[list[str], typer.Argument(metavar="NAME…")]
    loud: Annotated[bool, typer.Option("--loud")] = False


@takes_dataclasses
def greet(arguments: Arguments, times: int = 1) -> None:
    print(arguments, times)


@takes_settings("library")
def open_and_greet(settings: Settings, arguments: Arguments) -> None:
    print(settings.library, arguments)


@pytest.mark.parametrize(
    ("given", "printed"),
    [
        (["a"], f"{Arguments(['a'])} 1"),
        (["a", "b", "--loud", "--times", "2"], f"{Arguments(['a', 'b'], loud=True)} 2"),
    ],
)
def test_command_gets_its_options_as_a_dataclass(given: list[str], printed: str) -> None:
    app = typer.Typer()
    app.command()(greet)
    result = CliRunner().invoke(app, given)
    assert (result.exit_code, result.output.strip()) == (0, printed)


def test_field_without_a_default_is_required() -> None:
    app = typer.Typer()
    app.command()(greet)
    assert CliRunner().invoke(app, []).exit_code == 2


def test_settings_come_before_a_dataclass() -> None:
    app = typer.Typer()
    app.command()(open_and_greet)
    result = CliRunner().invoke(app, ["--library", "/photos", "a"])
    assert result.output.strip() == f"/photos {Arguments(['a'])}"
