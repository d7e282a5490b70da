"""The `encoders` commands: which encoders a library has, and what each is used for."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from findimg.command_settings import takes_settings
from findimg.errors import SettingsError
from findimg.library.library import Library
from findimg.library.manifest import Manifest
from findimg.settings import Settings
from findimg_jobs.cli.output import JsonOption, make_table, print_table
from findimg_jobs.maintenance.encoder_roles import encoder_roles, remove_encoder, use_encoders

app = typer.Typer(
    no_args_is_help=True,
    help="Choose what a library's encoders are used for. `index --backbone` adds a second one.",
)


@app.command("list")
@takes_settings("library", "cache")
def list_encoders(settings: Settings, as_json: JsonOption = False) -> None:
    """List the encoders of the live version."""
    opened = Library(settings.library, settings.cache)
    roles = encoder_roles(opened.manifest(opened.live_version()))
    if as_json:
        print(json.dumps([asdict(role) for role in roles]))
        return
    rows = [
        (role.name, role.fingerprint, role.dim, "yes" if role.by_image else "", "yes" if role.by_words else "")
        for role in roles
    ]
    print_table(make_table(("Encoder", "Fingerprint", "Dimensions", "Finds by image", "Finds by words"), rows))


@app.command()
@takes_settings("library", "cache")
def use(
    settings: Settings,
    by_image: Annotated[
        str | None, typer.Option(metavar="NAME", help="The encoder that finds images by image.", show_default=False)
    ] = None,
    by_words: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The encoder that finds images by words, and tags.", show_default=False),
    ] = None,
) -> None:
    """Publish the live version with other roles of its encoders. It embeds nothing."""
    if not (by_image or by_words):
        raise SettingsError("Say which encoder to use, with --by-image, --by-words or both.")
    _print_roles(use_encoders(Library(settings.library, settings.cache), by_image, by_words))


@app.command()
@takes_settings("library", "cache")
def remove(
    settings: Settings,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The encoder to remove.")],
) -> None:
    """Publish the live version without one of its two encoders. `prune` deletes the encoder's embeddings later."""
    if settings.backbone == name:
        raise SettingsError(
            f"The setting backbone (FINDIMG_BACKBONE) names {name}, so the next index would add it again. Change the "
            "setting first."
        )
    _print_roles(remove_encoder(Library(settings.library, settings.cache), name))


def _print_roles(manifest: Manifest) -> None:
    print(
        f"Version {manifest.version} is live. It finds images by image with {manifest.backbone}, by words with "
        f"{manifest.for_words.backbone}."
    )
