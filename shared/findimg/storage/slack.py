"""The images in a Slack workspace as a storage that can only be read: `slack://TEAM` or `slack://TEAM/CHANNEL`.

It holds the images of channels in which the bot is a member, never those of direct messages. An image that was shared
in two channels has two addresses, `slack://TEAM/CHANNEL/FILE/name`, because it may be seen in both. The token comes
from `FINDIMG_SLACK_BOT_TOKEN`. It needs the scopes `files:read`, `channels:read` and `groups:read`.
"""

import logging
import re
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

from findimg.errors import ObjectMissingError, SettingsError, StorageError
from findimg.settings import load_settings
from findimg.storage.base import Entry, check_length, count_retries, register_scheme

if TYPE_CHECKING:
    from slack_sdk.web.client import WebClient

SCHEME = "slack"
_SLACK_API = "https://slack.com/api/"
_SLACK_FILES = "https://files.slack.com"
_PAGE = 200  # channels or files in one answer
_SECONDS = 30  # for one request
_ATTEMPTS = 5  # for one request that Slack limits
_LONGEST_PAUSE = 60.0  # seconds that Slack may ask to wait
_ID = re.compile(r"[A-Z][A-Z0-9]{2,}")
_FILE_PATH = re.compile(r"/files-pri/(?P<team>[A-Z0-9]+)-(?P<file>[A-Z0-9]+)/(?P<name>[^/?#]+)")
_log = logging.getLogger(__name__)


class SlackStorage:
    """The images that were shared in the channels of a workspace."""

    def __init__(self, team: str, channel: str = ""):
        """Args:
        team: id of the workspace.
        channel: id of the only channel. Empty for all channels with the bot.
        """
        self._team = team
        self._channel = channel
        self.root = f"{SCHEME}://{team}/{channel}".rstrip("/")

    def uri(self, key: str) -> str:
        return f"{self.root}/{key}" if key else self.root

    def list(self, prefix: str = "", after: str = "") -> Iterator[Entry]:
        client, bot = _connect(self._team)
        channels = [self._channel] if self._channel else _channels(client, self._team)
        for channel in channels:
            for file in _files(client, self._team, channel):
                key = _key(file, self._team)
                # The bot's own files are thumbnails.
                if key is None or file.get("user") == bot:
                    continue
                path = key if self._channel else f"{channel}/{key}"
                if path.startswith(prefix) and path > after:
                    created = float(file.get("timestamp") or file.get("created") or 0)
                    # A file's content never changes.
                    yield Entry(path, self.uri(path), str(file["id"]), int(file.get("size") or 0), created)

    def read(self, key: str, limit: int | None = None, version: str | None = None) -> bytes:
        file, _, name = key.removeprefix(f"{self._channel}/").rpartition("/")
        file = file.rpartition("/")[2]
        uri = self.uri(key)
        if not re.fullmatch("F[A-Z0-9]+", file) or not name:
            raise ObjectMissingError(f"{uri} is no image in Slack.")
        return _download(f"/files-pri/{self._team}-{file}/{quote(name)}", uri, limit)

    def read_range(self, key: str, start: int, length: int) -> bytes:
        return check_length(self.read(key)[start : start + length], length, self.uri(key))

    def fetch(self, key: str, path: Path) -> None:
        path.write_bytes(self.read(key))

    def exists(self, key: str) -> bool:
        try:
            self.read(key, 1)
        except ObjectMissingError:
            return False
        return True

    def write(self, key: str, data: bytes) -> None:
        raise self._read_only()

    def upload(self, path: Path, key: str) -> None:
        raise self._read_only()

    def create(self, key: str, data: bytes) -> bool:
        raise self._read_only()

    def swap(self, key: str, old: bytes, new: bytes) -> bool:
        raise self._read_only()

    def delete(self, key: str) -> None:
        raise self._read_only()

    def clear(self, prefix: str) -> None:
        raise self._read_only()

    def sweep(self, age: float) -> int:
        raise self._read_only()

    def _read_only(self) -> StorageError:
        return StorageError(f"{self.root} can be indexed but not written. Name a folder or an s3:// prefix as library.")


@cache
def _connect(team: str) -> tuple["WebClient", str]:
    """Return a client of the workspace, and the id of its bot user.

    Raises:
        SettingsError: there is no token, or it is not one of this workspace.
        StorageError: Slack cannot be reached, or refuses the token.
    """
    settings = load_settings()
    token = settings.slack_bot_token.get_secret_value()
    if not token:
        raise SettingsError("Set FINDIMG_SLACK_BOT_TOKEN to index images in Slack.")
    try:
        from slack_sdk.http_retry.builtin_handlers import ConnectionErrorRetryHandler, RateLimitErrorRetryHandler
        from slack_sdk.web.client import WebClient
    except ModuleNotFoundError as error:
        raise SettingsError("Images in Slack need the extra jobs. Run pip install 'findimg[jobs]'.") from error
    client = WebClient(
        token,
        base_url=settings.slack_api_url,
        timeout=_SECONDS,
        retry_handlers=[ConnectionErrorRetryHandler(3), RateLimitErrorRetryHandler(_ATTEMPTS)],
    )
    own = _call(client, "auth.test")
    if team not in (own.get("team_id"), own.get("enterprise_id")):
        raise SettingsError(
            f"FINDIMG_SLACK_BOT_TOKEN is a token of the workspace {own.get('team_id')}, not of {team}. Name "
            f"{SCHEME}://{own.get('team_id')} or set the other token."
        )
    return client, str(own.get("user_id"))


def _call(client: "WebClient", method: str, **arguments: Any) -> dict[str, Any]:
    from slack_sdk.errors import SlackApiError, SlackClientError

    try:
        answer = client.api_call(method, params=arguments, http_verb="GET")
    except SlackApiError as error:
        reason = str(error.response.get("error"))
        needed = error.response.get("needed")
        advice = f"Add the scope {needed} and install the app again." if needed else "Check the app and its token."
        raise StorageError(f"Slack refuses {method}: {reason}. {advice}") from error
    except (SlackClientError, OSError) as error:
        raise StorageError(f"Slack cannot be reached: {error}. Run again.") from error
    return dict(answer.data) if isinstance(answer.data, dict) else {}


def _channels(client: "WebClient", team: str) -> Iterator[str]:
    """Yield the ids of the channels with the bot."""
    cursor = ""
    while True:
        answer = _call(
            client,
            "conversations.list",
            types="public_channel,private_channel",
            exclude_archived="true",
            limit=_PAGE,
            team_id=team,
            cursor=cursor,
        )
        yield from (str(channel["id"]) for channel in answer["channels"] if channel.get("is_member"))
        cursor = answer.get("response_metadata", {}).get("next_cursor") or ""
        if not cursor:
            return


def _files(client: "WebClient", team: str, channel: str) -> Iterator[dict[str, Any]]:
    """Yield the images of a channel as Slack describes them, newest first."""
    page, pages = 1, 1
    while page <= pages:
        answer = _call(client, "files.list", types="images", channel=channel, team_id=team, count=_PAGE, page=page)
        yield from answer["files"]
        pages = int(answer["paging"]["pages"])
        page += 1


def _key(file: dict[str, Any], team: str) -> str | None:
    """Return the key of a file below its channel, None for a file that Slack does not store in this workspace."""
    if file.get("mode") in ("external", "tombstone", "hidden_by_limit") or file.get("is_external"):
        return None
    found = _FILE_PATH.fullmatch(urlsplit(str(file.get("url_private") or "")).path)
    if found is None or found["team"] != team or found["file"] != file["id"]:
        _log.info("The file %s is stored in another workspace and is left out.", file.get("id"))
        return None
    name = unquote(found["name"])
    return None if "/" in name else f"{found['file']}/{name}"


def _download(path: str, uri: str, limit: int | None) -> bytes:
    import urllib3

    settings = load_settings()
    api = urlsplit(settings.slack_api_url)
    host = _SLACK_FILES if settings.slack_api_url == _SLACK_API else f"{api.scheme}://{api.netloc}"
    headers = {"Authorization": f"Bearer {settings.slack_bot_token.get_secret_value()}"}
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            # The token goes to Slack's file server only, so redirects are not followed.
            answer = _pool().request(
                "GET", host + path, headers=headers, redirect=False, preload_content=False, timeout=_SECONDS
            )
            try:
                if answer.status == 429 and attempt < _ATTEMPTS:
                    count_retries(1)
                    time.sleep(min(_LONGEST_PAUSE, float(answer.headers.get("Retry-After") or 1)))
                    continue
                return _body(answer, uri, limit)
            finally:
                answer.release_conn()
        except (urllib3.exceptions.HTTPError, OSError) as error:
            if attempt == _ATTEMPTS:
                raise StorageError(
                    f"{uri} cannot be read: Slack's file server cannot be reached. Run again."
                ) from error
            count_retries(1)
            time.sleep(2**attempt / 10)
    raise StorageError(f"{uri} cannot be read: Slack limits the downloads. Run again later.")


def _body(answer: Any, uri: str, limit: int | None) -> bytes:
    if answer.status == 404:
        raise ObjectMissingError(f"{uri} does not exist in Slack any more.")
    if answer.status != 200:
        raise StorageError(f"{uri} cannot be read: Slack answered with status {answer.status}. Run again.")
    # Without access Slack answers with status 200 and its login page.
    if str(answer.headers.get("Content-Type") or "").startswith("text/"):
        raise StorageError(f"{uri} cannot be read: Slack sent a login page. Check the token and its scope files:read.")
    data: bytes = answer.read(limit) if limit is not None else answer.read()
    return data


@cache
def _pool() -> Any:
    import urllib3

    return urllib3.PoolManager(maxsize=16, retries=False)


def _open_root(rest: str) -> SlackStorage:
    team, _, channel = rest.strip("/").partition("/")
    if not _ID.fullmatch(team) or (channel and not _ID.fullmatch(channel)):
        raise ValueError(f"{rest} is not TEAM or TEAM/CHANNEL")
    return SlackStorage(team, channel)


def _open_object(rest: str) -> tuple[SlackStorage, str]:
    team, _, key = rest.partition("/")
    if not _ID.fullmatch(team) or not key:
        raise ValueError(f"{rest} is not TEAM/CHANNEL/FILE/name")
    return SlackStorage(team), key


register_scheme(SCHEME, _open_root, _open_object)
