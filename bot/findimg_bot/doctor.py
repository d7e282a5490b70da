"""The doctor: looks at everything that the bot needs, and says of each that it is well or how to mend it."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from findimg.encoders.artefacts import ModelStore
from findimg.encoders.registry import fingerprint
from findimg.errors import FindimgError, ObjectMissingError
from findimg.library.library import ENCODER_FILE, thumbnail_key
from findimg.settings import Settings
from findimg_bot.app import build_client
from findimg_bot.service.live_library import LiveLibrary
from findimg_bot.slack.installations import ciphers
from findimg_bot.slack.manifest import bot_scopes
from findimg_bot.slack.thumbnails import UPLOAD_ERRORS, reason, upload
from findimg_bot.state.store import Store

_STALE = timedelta(days=3)
_ROUND_TRIP = 30.0  # seconds that a thumbnail may take to be ready
_FETCH = 10.0  # seconds for an address
_WHERE = {
    "FINDIMG_SLACK_BOT_TOKEN": "it stands under OAuth & Permissions of the app, after it is installed",
    "FINDIMG_SLACK_APP_TOKEN": "make one under Basic Information, App-Level Tokens, with the scope connections:write",
    "FINDIMG_SLACK_SIGNING_SECRET": "it stands under Basic Information of the app",
}
_SHAPES = {"FINDIMG_SLACK_BOT_TOKEN": r"xoxb-\S+", "FINDIMG_SLACK_APP_TOKEN": r"xapp-\S+"}


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look found."""

    name: str
    well: bool
    text: str  # what is there, or what to do


class _Sick(Exception):
    """Something has to be mended; the text says how."""


async def examine(settings: Settings, http: bool) -> list[Finding]:
    """Looks at everything.

    Args:
        http: the bot is to be reached over HTTP, not in Socket Mode.
    """
    findings = []
    for name, look in _looks(settings, http):
        try:
            findings.append(Finding(name, True, await look()))
        except (_Sick, FindimgError) as error:
            said = next((finding.name for finding in findings if finding.text == str(error)), None)
            findings.append(Finding(name, False, f"Not looked at: mend {said} first." if said else str(error)))
    return findings


def _looks(settings: Settings, http: bool) -> Iterator[tuple[str, Callable[[], Awaitable[str]]]]:
    live = LiveLibrary(settings)
    client = build_client(settings)
    many = not settings.slack_bot_token.get_secret_value() and bool(settings.slack_client_id)

    async def state() -> str:
        await asyncio.to_thread(lambda: Store(settings.state).close())
        return f"{settings.state} can be written."

    async def library() -> str:
        def look() -> str:
            with live.lease() as searcher:
                manifest = searcher.manifest
            age = datetime.now(UTC) - datetime.fromisoformat(manifest.created)
            if age > _STALE:
                raise _Sick(
                    f"The live version of {live.library.uri} is {age.days} days old; look at the last run's report in "
                    "runs/ and at what schedules findimg-jobs index."
                )
            return f"{manifest.images:,} images in {live.library.uri}, version {manifest.version}."

        return await asyncio.to_thread(look)

    async def words() -> str:
        opened = await asyncio.to_thread(live.words)
        return f"{opened.name} with {len(opened):,} words."

    async def backbone() -> str:
        def look() -> str:
            with live.lease() as searcher:
                manifest = searcher.manifest
            if ENCODER_FILE in manifest.files and not settings.weights:
                live.warm_backbone()
                return f"{manifest.backbone} {manifest.fingerprint}, from the library."
            found = fingerprint(manifest.backbone, ModelStore(settings.cache / "models"), settings.weights or None)
            if found != manifest.fingerprint:
                raise _Sick(
                    f"The library was made with {manifest.backbone} {manifest.fingerprint}, the weights here are "
                    f"{found}; name the same --weights as findimg-jobs index did."
                )
            return f"{manifest.backbone} {found}."

        return await asyncio.to_thread(look)

    async def installation() -> str:
        missing = [
            f"FINDIMG_{name.upper()}"
            for name in ("slack_client_secret", "slack_token_key")
            if not getattr(settings, name).get_secret_value()
        ]
        if missing:
            raise _Sick(f"{' and '.join(missing)} must be set beside FINDIMG_SLACK_CLIENT_ID.")
        ciphers(settings.slack_token_key.get_secret_value())
        return f"The app {settings.slack_client_id} can be installed at /slack/install."

    async def token() -> AsyncSlackResponse:
        _check_token("FINDIMG_SLACK_BOT_TOKEN", settings.slack_bot_token.get_secret_value())
        return await _asked(client, "FINDIMG_SLACK_BOT_TOKEN")

    async def bot_token() -> str:
        answer = await token()
        scopes = set(re.split(r"[,\s]+", str(answer.headers.get("x-oauth-scopes", ""))))
        if missing := [scope for scope in bot_scopes() if scope not in scopes]:
            raise _Sick(
                f"The token lacks {', '.join(missing)}; put the manifest of findimg-bot manifest into the app and "
                "install it again."
            )
        return f"{answer['user']} in {answer['team']}, with all scopes."

    async def app_token() -> str:
        token = settings.slack_app_token.get_secret_value()
        _check_token("FINDIMG_SLACK_APP_TOKEN", token)
        try:
            await client.apps_connections_open(app_token=token)
        except SlackApiError as error:
            raise _Sick(
                f"Socket Mode cannot be used with FINDIMG_SLACK_APP_TOKEN ({error.response.get('error')}): "
                f"{_WHERE['FINDIMG_SLACK_APP_TOKEN']}, and turn Socket Mode on."
            ) from error
        except UPLOAD_ERRORS as error:
            raise _Sick(f"{settings.slack_api_url}: {reason(error)}; check the network.") from error
        return "Socket Mode can be used."

    async def signing_secret() -> str:
        secret = settings.slack_signing_secret.get_secret_value()
        if not re.fullmatch(r"[0-9a-f]{32}", secret):
            shown = "is not set" if not secret else "is not 32 hexadecimal digits"
            raise _Sick(f"FINDIMG_SLACK_SIGNING_SECRET {shown}: {_WHERE['FINDIMG_SLACK_SIGNING_SECRET']}.")
        return "The signing secret has the right form; whether it is the app's own, only a request from Slack shows."

    async def allowed() -> str:
        for name, ids, form in (
            ("ALLOW_CHANNELS", settings.channels, r"[CGD][A-Z0-9]+"),
            ("ALLOW_USERS", settings.users, r"[UW][A-Z0-9]+"),
        ):
            if wrong := sorted(each for each in ids if not re.fullmatch(form, each)):
                raise _Sick(f"FINDIMG_{name} holds {wrong[0]!r}, which is no id; copy it from the details in Slack.")
        if settings.channels or settings.users:
            return f"{len(settings.channels) or 'all'} channels, {len(settings.users) or 'all'} people."
        return "Everybody in every channel."

    async def thumbnail() -> str:
        def read() -> tuple[str, bytes]:
            with live.lease() as searcher:
                key = thumbnail_key(searcher.catalog.row(0).sha256)
            try:
                return key, live.library.storage.read(key)
            except ObjectMissingError as error:
                raise _Sick(f"{error} The library has lost thumbnails; run findimg-jobs verify.") from error

        key, data = await asyncio.to_thread(read)
        if settings.thumbnail_base_url:
            return await _fetched(settings.thumbnail_base_url + key)
        if many:
            return "It can be read; uploading it is tried when a workspace is installed."
        await token()
        try:
            async with asyncio.timeout(_ROUND_TRIP):
                file = await upload(client, data, "findimg-doctor.jpg", "A thumbnail that findimg-bot doctor tries")
            await client.files_delete(file=file)
        except UPLOAD_ERRORS as error:
            raise _Sick(
                f"A thumbnail cannot be shown in Slack: {reason(error)}. Check the token's scopes files:write and "
                "files:read, or serve thumbnails/ yourself with --thumbnail-base-url."
            ) from error
        return "One was uploaded, ready, and deleted again."

    yield "state", state
    yield "library", library
    yield "word vectors", words
    yield "backbone", backbone
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


def _check_token(name: str, token: str) -> None:
    if not token:
        raise _Sick(f"{name} is not set: {_WHERE[name]}.")
    if not re.fullmatch(_SHAPES[name], token):
        raise _Sick(f"{name} does not begin with {_SHAPES[name][:5]}: {_WHERE[name]}.")


async def _asked(client: AsyncWebClient, name: str) -> AsyncSlackResponse:
    try:
        return await client.auth_test()
    except SlackApiError as error:
        raise _Sick(f"Slack does not take {name} ({error.response.get('error')}): {_WHERE[name]}.") from error
    except UPLOAD_ERRORS as error:
        raise _Sick(f"{client.base_url}: {reason(error)}; check the network.") from error


async def _fetched(url: str) -> str:
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(_FETCH)) as session,
            session.get(url) as answer,
        ):
            kind = answer.content_type
            if answer.status == 200 and kind == "image/jpeg":
                return f"{url} can be fetched."
            found = f"{answer.status} {kind}"
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        found = type(error).__name__
    raise _Sick(
        f"{url} cannot be fetched as image/jpeg ({found}): "
        "--thumbnail-base-url must name the public address of the library."
    )
