"""Checks of the settings for Slack: installation, tokens, secrets, ids, and showing a thumbnail."""

import asyncio
import re
from dataclasses import fields

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from findimg.errors import ObjectMissingError
from findimg.library.layout import thumbnail_key
from findimg.text.enumeration import enumerated
from findimg_bot.doctor.setup import ProblemError, Setup
from findimg_bot.errors import SLACK_ERRORS, slack_failure
from findimg_bot.slack.installation.stores import token_cipher
from findimg_bot.slack.manifest import Surfaces, bot_scopes
from findimg_bot.slack.pictures.thumbnails import wait_until_ready
from findimg_bot.slack.pictures.upload import UploadBatch

_ROUND_TRIP_SECONDS = 30.0  # until an uploaded thumbnail must be ready
_FETCH_SECONDS = 10.0
_WHERE = {
    "FINDIMG_SLACK_BOT_TOKEN": "find it under OAuth & Permissions of the app, after installation",
    "FINDIMG_SLACK_APP_TOKEN": "create one under Basic Information, App-Level Tokens, with the scope connections:write",
    "FINDIMG_SLACK_SIGNING_SECRET": "find it under Basic Information of the app",
}
_SHAPES = {"FINDIMG_SLACK_BOT_TOKEN": r"xoxb-\S+", "FINDIMG_SLACK_APP_TOKEN": r"xapp-\S+"}


async def check_installation(setup: Setup) -> str:
    """Check that workspaces can install the app."""
    settings = setup.settings
    missing = [
        f"FINDIMG_{name.upper()}"
        for name in ("slack_client_secret", "slack_token_key")
        if not getattr(settings, name).get_secret_value()
    ]
    if missing:
        raise ProblemError(f"{enumerated(missing, 'and')} must be set together with FINDIMG_SLACK_CLIENT_ID.")
    token_cipher(settings.slack_token_key.get_secret_value())
    if not settings.allowed_teams:
        raise ProblemError(
            "No workspace may install the app. Set FINDIMG_ALLOW_TEAMS to the ids of the allowed workspaces, or to "
            "* for any workspace."
        )
    return f"The app {settings.slack_client_id} can be installed at /slack/install."


async def check_bot_token(setup: Setup) -> str:
    """Check that Slack accepts the bot token, and that it has all scopes."""
    answer = await authenticate(setup)
    check_scopes(answer, setup.surfaces)
    return f"{answer['user']} in {answer['team']}, with all scopes."


async def check_app_token(setup: Setup) -> str:
    """Check that Socket Mode works."""
    token = setup.settings.slack_app_token.get_secret_value()
    _check_token("FINDIMG_SLACK_APP_TOKEN", token)
    try:
        await setup.client.apps_connections_open(app_token=token)
    except SlackApiError as error:
        raise ProblemError(
            f"Socket Mode cannot be used with FINDIMG_SLACK_APP_TOKEN ({error.response.get('error')}): "
            f"{_WHERE['FINDIMG_SLACK_APP_TOKEN']}, and switch Socket Mode on."
        ) from error
    except SLACK_ERRORS as error:
        raise ProblemError(f"{setup.settings.slack_api_url}: {slack_failure(error)}. Check the network.") from error
    return "Socket Mode works."


async def check_signing_secret(setup: Setup) -> str:
    """Check the form of the signing secret."""
    secret = setup.settings.slack_signing_secret.get_secret_value()
    if not re.fullmatch(r"[0-9a-f]{32}", secret):
        shown = "is not set" if not secret else "is not 32 hexadecimal digits"
        raise ProblemError(f"FINDIMG_SLACK_SIGNING_SECRET {shown}: {_WHERE['FINDIMG_SLACK_SIGNING_SECRET']}.")
    return "The signing secret has the right form. Only a request from Slack can show whether it belongs to the app."


async def check_allowed(setup: Setup) -> str:
    """Check the ids of channels, people and workspaces in the settings."""
    settings = setup.settings
    for name, ids, form in (
        ("ALLOW_CHANNELS", settings.allowed_channels, r"[CGD][A-Z0-9]+"),
        ("ALLOW_USERS", settings.allowed_users, r"[UW][A-Z0-9]+"),
        ("ALLOW_TEAMS", settings.allowed_teams, r"[TE][A-Z0-9]+|\*"),
        ("TEACHERS", settings.teacher_ids, r"(?:[TE][A-Z0-9]+/)?[UW][A-Z0-9]+"),
    ):
        if wrong := sorted(each for each in ids if not re.fullmatch(form, each)):
            raise ProblemError(
                f"FINDIMG_{name} holds {wrong[0]!r}, which is not an id. Copy the id from the details in Slack."
            )
    if settings.allowed_channels or settings.allowed_users:
        return f"{len(settings.allowed_channels) or 'all'} channels, {len(settings.allowed_users) or 'all'} people."
    return "Everybody, in every channel."


async def check_thumbnail(setup: Setup) -> str:
    """Check that Slack can show a thumbnail of the library."""

    def read() -> tuple[str, bytes]:
        with setup.served_library.lend_everything() as searcher:
            key = thumbnail_key(searcher.catalog.row(0).sha256)
        try:
            return key, setup.served_library.library.storage.read(key)
        except ObjectMissingError as error:
            raise ProblemError(f"{error} The library lost thumbnails. Run findimg-jobs verify.") from error

    key, data = await asyncio.to_thread(read)
    if setup.settings.thumbnail_base_url:
        return await _fetch(setup.settings.thumbnail_base_url + key)
    if setup.many_workspaces:
        return "The library has thumbnails. Uploading is tested when a workspace installs the app."
    await authenticate(setup)
    try:
        async with asyncio.timeout(_ROUND_TRIP_SECONDS):
            file = await UploadBatch(setup.client).upload(
                lambda: data, "findimg-doctor.jpg", "Test of findimg-bot doctor"
            )
            await wait_until_ready(setup.client, file)
        await setup.client.files_delete(file=file)
    except SLACK_ERRORS as error:
        raise ProblemError(
            f"A thumbnail cannot be shown in Slack: {slack_failure(error)}. Check the token's scopes files:write "
            "and files:read, or set --thumbnail-base-url to a public address of the library."
        ) from error
    return "A thumbnail was uploaded, ready, and deleted again."


def check_scopes(answer: AsyncSlackResponse, surfaces: Surfaces) -> None:
    """Check that the token with which Slack was called has the scopes for some surfaces.

    Raises:
        ProblemError: it lacks some.
    """
    scopes = re.split(r"[,\s]+", str(answer.headers.get("x-oauth-scopes", "")))
    if missing := [scope for scope in bot_scopes(surfaces) if scope not in scopes]:
        used = (field.name for field in fields(surfaces) if getattr(surfaces, field.name))
        flags = "".join(f" --{name.replace('_', '-')}" for name in used)
        raise ProblemError(
            f"The token lacks {', '.join(missing)}. Update the app with the output of findimg-bot manifest{flags} and "
            "install it again."
        )


def _check_token(name: str, token: str) -> None:
    if not token:
        raise ProblemError(f"{name} is not set: {_WHERE[name]}.")
    if not re.fullmatch(_SHAPES[name], token):
        raise ProblemError(f"{name} does not start with {_SHAPES[name][:5]}: {_WHERE[name]}.")


async def authenticate(setup: Setup) -> AsyncSlackResponse:
    """Return Slack's answer about the bot token.

    Raises:
        ProblemError: the token is missing, or Slack rejects it or cannot be reached.
    """
    name = "FINDIMG_SLACK_BOT_TOKEN"
    _check_token(name, setup.settings.slack_bot_token.get_secret_value())
    try:
        return await setup.client.auth_test()
    except SlackApiError as error:
        raise ProblemError(f"Slack rejects {name} ({error.response.get('error')}): {_WHERE[name]}.") from error
    except SLACK_ERRORS as error:
        raise ProblemError(f"{setup.client.base_url}: {slack_failure(error)}. Check the network.") from error


async def _fetch(url: str) -> str:
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(_FETCH_SECONDS)) as session,
            session.get(url) as answer,
        ):
            kind = answer.content_type
            if answer.status == 200 and kind == "image/jpeg":
                return f"{url} is reachable."
            found = f"{answer.status} {kind}"
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        found = type(error).__name__
    raise ProblemError(
        f"{url} did not return image/jpeg ({found}). Set --thumbnail-base-url to the public address of the library."
    )
