"""Checks everything that the bot needs, and explains how to fix each problem."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from findimg.encoders.registry import fingerprint
from findimg.errors import FindimgError, ObjectMissingError
from findimg.library.encoder import carries_encoder, used_parts
from findimg.library.layout import thumbnail_key
from findimg.models.store import ModelStore
from findimg.settings import Settings
from findimg.terminal import counted
from findimg.text.enumeration import enumerated
from findimg_bot.app import build_client
from findimg_bot.errors import SLACK_ERRORS, slack_failure
from findimg_bot.live_indexing import checks
from findimg_bot.live_library import LiveLibrary
from findimg_bot.slack.installations import ciphers
from findimg_bot.slack.manifest import Surfaces, bot_scopes
from findimg_bot.slack.thumbnails import upload, wait_until_ready
from findimg_bot.state.picture_changes import PictureChanges
from findimg_bot.state.store import Store

T = TypeVar("T")
_STALE = timedelta(days=3)
_ROUND_TRIP_SECONDS = 30.0  # until an uploaded thumbnail must be ready
_FETCH_SECONDS = 10.0
_WHERE = {
    "FINDIMG_SLACK_BOT_TOKEN": "find it under OAuth & Permissions of the app, after installation",
    "FINDIMG_SLACK_APP_TOKEN": "create one under Basic Information, App-Level Tokens, with the scope connections:write",
    "FINDIMG_SLACK_SIGNING_SECRET": "find it under Basic Information of the app",
}
_SHAPES = {"FINDIMG_SLACK_BOT_TOKEN": r"xoxb-\S+", "FINDIMG_SLACK_APP_TOKEN": r"xapp-\S+"}


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check."""

    name: str
    ok: bool
    text: str  # what was found, or what to do


class _ProblemError(Exception):
    """A check failed. The text says what to do."""


async def examine(settings: Settings, http: bool) -> list[Finding]:
    """Run all checks.

    Args:
        http: whether Slack reaches the bot over HTTP instead of Socket Mode.
    """
    findings = []
    for name, check in _checks(settings, http):
        try:
            findings.append(Finding(name, True, await check()))
        except (_ProblemError, FindimgError) as error:
            cause = next((finding.name for finding in findings if finding.text == str(error)), None)
            findings.append(Finding(name, False, f'Skipped: fix "{cause}" first.' if cause else str(error)))
    return findings


def _checks(settings: Settings, http: bool) -> Iterator[tuple[str, Callable[[], Awaitable[str]]]]:
    live = LiveLibrary(settings)
    client = build_client(settings)
    surfaces = Surfaces.named(settings.slack_surfaces)
    many = not settings.slack_bot_token.get_secret_value() and bool(settings.slack_client_id)

    async def state() -> str:
        def check() -> str:
            store = Store(settings.state)
            try:
                store.check()
            finally:
                store.close()
            return f"{store.database.name} is writable."

        return await asyncio.to_thread(check)

    async def library() -> str:
        def read() -> str:
            with live.lease(None) as searcher:
                manifest = searcher.manifest
            age = datetime.now(UTC) - datetime.fromisoformat(manifest.created)
            if age > _STALE:
                raise _ProblemError(
                    f"The live version of {live.library.uri} is {age.days} days old. Check the last report in runs/ "
                    "and the schedule of findimg-jobs index."
                )
            return f"{manifest.images:,} images in {live.library.uri}, version {manifest.version}."

        return await asyncio.to_thread(read)

    async def words() -> str:
        opened = await asyncio.to_thread(live.words)
        return f"{opened.name} with {len(opened):,} words."

    async def encoder() -> str:
        def read() -> str:
            with live.lease(None) as searcher:
                manifest = searcher.manifest
            found = []
            for place, part in enumerate(used_parts(manifest)):
                weights = "" if place else settings.weights  # they belong to the encoder that finds images by image
                here = part.fingerprint
                if weights or not carries_encoder(part):
                    here = fingerprint(part.backbone, ModelStore(settings.cache / "models"), weights or None)
                if here != part.fingerprint:
                    raise _ProblemError(
                        f"The library was made with {part.backbone} {part.fingerprint}, but the weights here are "
                        f"{here}. Set the same --weights as for findimg-jobs index."
                    )
                found.append(f"{part.backbone} {here}" + (", from the library" if carries_encoder(part) else ""))
            if not settings.weights:
                live.warm_encoder()
            return f"{' and '.join(found)}."

        return await asyncio.to_thread(read)

    async def installation() -> str:
        missing = [
            f"FINDIMG_{name.upper()}"
            for name in ("slack_client_secret", "slack_token_key")
            if not getattr(settings, name).get_secret_value()
        ]
        if missing:
            raise _ProblemError(f"{enumerated(missing, 'and')} must be set together with FINDIMG_SLACK_CLIENT_ID.")
        ciphers(settings.slack_token_key.get_secret_value())
        if not settings.allowed_teams:
            raise _ProblemError(
                "No workspace may install the app. Set FINDIMG_ALLOW_TEAMS to the ids of the allowed workspaces, or to "
                "* for any workspace."
            )
        return f"The app {settings.slack_client_id} can be installed at /slack/install."

    async def token() -> AsyncSlackResponse:
        _check_token("FINDIMG_SLACK_BOT_TOKEN", settings.slack_bot_token.get_secret_value())
        return await _authenticate(client, "FINDIMG_SLACK_BOT_TOKEN")

    async def bot_token() -> str:
        answer = await token()
        _check_scopes(answer, surfaces)
        return f"{answer['user']} in {answer['team']}, with all scopes."

    async def app_token() -> str:
        token = settings.slack_app_token.get_secret_value()
        _check_token("FINDIMG_SLACK_APP_TOKEN", token)
        try:
            await client.apps_connections_open(app_token=token)
        except SlackApiError as error:
            raise _ProblemError(
                f"Socket Mode cannot be used with FINDIMG_SLACK_APP_TOKEN ({error.response.get('error')}): "
                f"{_WHERE['FINDIMG_SLACK_APP_TOKEN']}, and switch Socket Mode on."
            ) from error
        except SLACK_ERRORS as error:
            raise _ProblemError(f"{settings.slack_api_url}: {slack_failure(error)}. Check the network.") from error
        return "Socket Mode works."

    async def signing_secret() -> str:
        secret = settings.slack_signing_secret.get_secret_value()
        if not re.fullmatch(r"[0-9a-f]{32}", secret):
            shown = "is not set" if not secret else "is not 32 hexadecimal digits"
            raise _ProblemError(f"FINDIMG_SLACK_SIGNING_SECRET {shown}: {_WHERE['FINDIMG_SLACK_SIGNING_SECRET']}.")
        return (
            "The signing secret has the right form. Only a request from Slack can show whether it belongs to the app."
        )

    async def allowed() -> str:
        for name, ids, form in (
            ("ALLOW_CHANNELS", settings.allowed_channels, r"[CGD][A-Z0-9]+"),
            ("ALLOW_USERS", settings.allowed_users, r"[UW][A-Z0-9]+"),
            ("ALLOW_TEAMS", settings.allowed_teams, r"[TE][A-Z0-9]+|\*"),
            ("TEACHERS", settings.teacher_ids, r"(?:[TE][A-Z0-9]+/)?[UW][A-Z0-9]+"),
        ):
            if wrong := sorted(each for each in ids if not re.fullmatch(form, each)):
                raise _ProblemError(
                    f"FINDIMG_{name} holds {wrong[0]!r}, which is not an id. Copy the id from the details in Slack."
                )
        if settings.allowed_channels or settings.allowed_users:
            return f"{len(settings.allowed_channels) or 'all'} channels, {len(settings.allowed_users) or 'all'} people."
        return "Everybody, in every channel."

    async def thumbnail() -> str:
        def read() -> tuple[str, bytes]:
            with live.lease(None) as searcher:
                key = thumbnail_key(searcher.catalog.row(0).sha256)
            try:
                return key, live.library.storage.read(key)
            except ObjectMissingError as error:
                raise _ProblemError(f"{error} The library lost thumbnails. Run findimg-jobs verify.") from error

        key, data = await asyncio.to_thread(read)
        if settings.thumbnail_base_url:
            return await _fetch(settings.thumbnail_base_url + key)
        if many:
            return "The library has thumbnails. Uploading is tested when a workspace installs the app."
        await token()
        try:
            async with asyncio.timeout(_ROUND_TRIP_SECONDS):
                file = await upload(client, data, "findimg-doctor.jpg", "Test of findimg-bot doctor")
                await wait_until_ready(client, file)
            await client.files_delete(file=file)
        except SLACK_ERRORS as error:
            raise _ProblemError(
                f"A thumbnail cannot be shown in Slack: {slack_failure(error)}. Check the token's scopes files:write "
                "and files:read, or set --thumbnail-base-url to a public address of the library."
            ) from error
        return "A thumbnail was uploaded, ready, and deleted again."

    async def live_channels() -> str:
        teams = await asyncio.to_thread(checks.workspaces, live)
        answer = await token()
        if answer["team_id"] not in teams:
            raise _ProblemError(
                f"The library has the source slack://{teams[0]}, but the token is of {answer['team_id']}. Use the "
                "token of the workspace that is indexed."
            )
        indexed = await with_pictures(
            lambda pictures: checks.indexed_channels(client, pictures, answer["team_id"], settings.indexed_channels)
        )
        return f"Pictures of {counted(len(indexed), 'channel')} of {answer['team_id']} are indexed."

    async def live_lag() -> str:
        await asyncio.to_thread(checks.workspaces, live)
        team = str((await token())["team_id"])

        async def check(pictures: PictureChanges) -> str:
            channels = await checks.indexed_channels(client, pictures, team, settings.indexed_channels)
            return await checks.check_lag(client, pictures, live, team, channels)

        return await with_pictures(check)

    async def with_pictures(check: Callable[[PictureChanges], Awaitable[T]]) -> T:
        store = await asyncio.to_thread(Store, settings.state)
        try:
            return await check(store.picture_changes)
        except SLACK_ERRORS as error:
            raise _ProblemError(f"The channels cannot be listed: {slack_failure(error)}. Check the scopes.") from error
        finally:
            await asyncio.to_thread(store.close)

    async def live_scopes() -> str:
        _check_scopes(await token(), replace(surfaces, channels=True, live=True))
        return "The token has the scopes for pictures in channels."

    async def live_library() -> str:
        return await asyncio.to_thread(checks.check_writable, live.library.storage, live.library.uri)

    yield "state", state
    yield "library", library
    yield "word vectors", words
    yield "encoder", encoder
    if many:
        yield "installation", installation
    else:
        yield "bot token", bot_token
    if http:
        yield "signing secret", signing_secret
    else:
        yield "app token", app_token
    yield "allowed", allowed
    yield "thumbnail", thumbnail
    if settings.live_indexing == "on":
        yield "live indexing", checks.check_extra
        yield "live library", live_library
        if not many:
            yield "live scopes", live_scopes
            yield "live channels", live_channels
            yield "live catch-up", live_lag


def _check_scopes(answer: AsyncSlackResponse, surfaces: Surfaces) -> None:
    """Check that the token with which Slack was called has the scopes for some surfaces."""
    scopes = re.split(r"[,\s]+", str(answer.headers.get("x-oauth-scopes", "")))
    if missing := [scope for scope in bot_scopes(surfaces) if scope not in scopes]:
        used = (field.name for field in fields(surfaces) if getattr(surfaces, field.name))
        flags = "".join(f" --{name.replace('_', '-')}" for name in used)
        raise _ProblemError(
            f"The token lacks {', '.join(missing)}. Update the app with the output of findimg-bot manifest{flags} and "
            "install it again."
        )


def _check_token(name: str, token: str) -> None:
    if not token:
        raise _ProblemError(f"{name} is not set: {_WHERE[name]}.")
    if not re.fullmatch(_SHAPES[name], token):
        raise _ProblemError(f"{name} does not start with {_SHAPES[name][:5]}: {_WHERE[name]}.")


async def _authenticate(client: AsyncWebClient, name: str) -> AsyncSlackResponse:
    try:
        return await client.auth_test()
    except SlackApiError as error:
        raise _ProblemError(f"Slack rejects {name} ({error.response.get('error')}): {_WHERE[name]}.") from error
    except SLACK_ERRORS as error:
        raise _ProblemError(f"{client.base_url}: {slack_failure(error)}. Check the network.") from error


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
    raise _ProblemError(
        f"{url} did not return image/jpeg ({found}). Set --thumbnail-base-url to the public address of the library."
    )
