"""The images in a Slack workspace as a storage that can only be read: `slack://TEAM` or `slack://TEAM/CHANNEL`.

It holds the images of channels in which the bot is a member, never those of direct messages. An image that was shared
in two channels has two addresses, `slack://TEAM/CHANNEL/FILE/name`, because it may be seen in both. The token is that
of the settings, or of `SlackAccess.use`. It needs the scopes `files:read`, `channels:read` and `groups:read`.
"""

import logging
import re
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

from pydantic import SecretStr

from findimg.errors import ObjectMissingError, SettingsError, StorageError
from findimg.settings import Settings, load_settings
from findimg.storage.base import Entry, ReadOnlyStorage, count_retries, register_scheme

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
_CONVERTED_PATH = re.compile(r"/files-tmb/[A-Z0-9]+-(?P<file>[A-Z0-9]+)(?:-\w+)?/[^/?#]+")
_THUMBNAILS = ("thumb_1024", "thumb_960", "thumb_800", "thumb_720", "thumb_480", "thumb_360")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SlackAccess:
    """How a process reads images in a workspace."""

    team: str  # id of the workspace
    token: SecretStr
    api_url: str
    only: frozenset[str] = frozenset()  # ids of the channels to index; empty for all channels with the bot

    @classmethod
    def of(cls, settings: Settings, team: str) -> "SlackAccess":
        """Return the access that the settings give."""
        return cls(team, settings.slack_bot_token, settings.slack_api_url, settings.indexed_channels)

    def indexes(self, channel: str) -> bool:
        """Return whether the operator lets a channel be indexed."""
        return not self.only or channel in self.only

    def use(self) -> None:
        """Use this access for its workspace from now on, in this process."""
        with _workspaces_lock:
            if self.team not in _workspaces or _workspaces[self.team].access != self:
                _workspaces[self.team] = _Workspace(self)


class SlackStorage(ReadOnlyStorage):
    """The images that were shared in the channels of a workspace."""

    reads_starts = False  # the names of almost all images in Slack have an extension

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
        workspace = _workspace(self._team)
        for channel in [self._channel] if self._channel else workspace.channels():
            if not workspace.access.indexes(channel):
                continue
            for file in workspace.files(channel):
                # The bot's own files are thumbnails.
                entry = None if file.get("user") == workspace.bot else picture_entry(file, self._team, channel)
                if entry is None:
                    continue
                path = entry.key.removeprefix(f"{self._channel}/")
                if path.startswith(prefix) and path > after:
                    yield replace(entry, key=path)

    def read(self, key: str, limit: int | None = None, etag: str | None = None) -> bytes:
        file, _, name = key.removeprefix(f"{self._channel}/").rpartition("/")
        file = file.rpartition("/")[2]
        uri = self.uri(key)
        if not re.fullmatch("F[A-Z0-9]+", file) or not name:
            raise ObjectMissingError(f"{uri} is not an image in Slack.")
        return _workspace(self._team).download(f"/files-pri/{self._team}-{file}/{quote(name)}", uri, limit)

    def read_converted(self, key: str) -> bytes | None:
        """Return the largest JPEG that Slack made of a HEIC image, None for another image."""
        if not key.lower().endswith((".heic", ".heif", ".heics", ".heifs", ".hif")):
            return None
        file = self.uri(key).split("/")[4]
        workspace = _workspace(self._team)
        described = workspace.file(file)
        for name in _THUMBNAILS:
            path = urlsplit(str(described.get(name) or "")).path
            found = _CONVERTED_PATH.fullmatch(path)
            if found and found["file"] == file:
                return workspace.download(path, self.uri(key), None)
        return None

    def entry(self, key: str) -> Entry | None:
        return super().entry(key) if "/" in key else None  # a channel is no object


class _Workspace:
    """The connection to one workspace. It is opened with the first request."""

    def __init__(self, access: SlackAccess):
        self._team = access.team
        self.access = access

    @property
    def bot(self) -> str:
        """The id of the bot user."""
        return self._connected[1]

    def channels(self) -> Iterator[str]:
        """Yield the ids of the channels with the bot."""
        cursor = ""
        while True:
            answer = self._call(
                "conversations.list",
                types="public_channel,private_channel",
                exclude_archived="true",
                limit=_PAGE,
                team_id=self._team,
                cursor=cursor,
            )
            yield from (str(channel["id"]) for channel in answer["channels"] if channel.get("is_member"))
            cursor = answer.get("response_metadata", {}).get("next_cursor") or ""
            if not cursor:
                return

    def files(self, channel: str) -> Iterator[dict[str, Any]]:
        """Yield the images of a channel as Slack describes them, newest first."""
        page, pages = 1, 1
        while page <= pages:
            answer = self._call(
                "files.list", types="images", channel=channel, team_id=self._team, count=_PAGE, page=page
            )
            yield from answer["files"]
            pages = int(answer["paging"]["pages"])
            page += 1

    def file(self, file: str) -> dict[str, Any]:
        """Return a file by its id as Slack describes it."""
        return dict(self._call("files.info", file=file)["file"])

    def download(self, path: str, uri: str, limit: int | None) -> bytes:
        """Return the bytes at a path of Slack's file server. Errors as of `Storage.read`."""
        import urllib3

        api = urlsplit(self.access.api_url)
        host = _SLACK_FILES if self.access.api_url == _SLACK_API else f"{api.scheme}://{api.netloc}"
        headers = {"Authorization": f"Bearer {self.access.token.get_secret_value()}"}
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                # The token goes to Slack's file server only, so redirects are not followed.
                answer = self._pool.request(
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

    @cached_property
    def _pool(self) -> Any:
        import urllib3

        return urllib3.PoolManager(maxsize=16, retries=False)

    @cached_property
    def _connected(self) -> tuple["WebClient", str]:
        """A client of the workspace, and the id of its bot user.

        Raises:
            SettingsError: there is no token, or it is not one of this workspace.
            StorageError: Slack cannot be reached, or refuses the token.
        """
        token = self.access.token.get_secret_value()
        if not token:
            raise SettingsError("Set FINDIMG_SLACK_BOT_TOKEN to index images in Slack.")
        try:
            from slack_sdk.http_retry.builtin_handlers import ConnectionErrorRetryHandler, RateLimitErrorRetryHandler
            from slack_sdk.web.client import WebClient
        except ModuleNotFoundError as error:
            raise SettingsError("Images in Slack need the extra jobs. Run pip install 'findimg[jobs]'.") from error
        client = WebClient(
            token,
            base_url=self.access.api_url,
            timeout=_SECONDS,
            retry_handlers=[ConnectionErrorRetryHandler(3), RateLimitErrorRetryHandler(_ATTEMPTS)],
        )
        own = _call(client, "auth.test")
        if self._team not in (own.get("team_id"), own.get("enterprise_id")):
            raise SettingsError(
                f"FINDIMG_SLACK_BOT_TOKEN is a token of the workspace {own.get('team_id')}, not of {self._team}. Name "
                f"{SCHEME}://{own.get('team_id')} or set the other token."
            )
        return client, str(own.get("user_id"))

    def _call(self, method: str, **arguments: Any) -> dict[str, Any]:
        return _call(self._connected[0], method, **arguments)


_workspaces: dict[str, _Workspace] = {}
_workspaces_lock = threading.Lock()


def _workspace(team: str) -> _Workspace:
    """Return the connection to a workspace. Without `SlackAccess.use`, the settings of this process are used."""
    with _workspaces_lock:
        if team not in _workspaces:
            _workspaces[team] = _Workspace(SlackAccess.of(load_settings(), team))
        return _workspaces[team]


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


def picture_entry(file: Mapping[str, Any], team: str, channel: str) -> Entry | None:
    """Return a file of a channel as an object of `slack://TEAM`, None if Slack does not store it in this workspace.

    Args:
        file: the file as Slack describes it.
        team: id of the workspace.
        channel: id of a channel that it was shared in.
    """
    name = _key(file, team)
    if name is None:
        return None
    created = float(file.get("timestamp") or file.get("created") or 0)
    key = f"{channel}/{name}"
    # A file's content never changes.
    return Entry(key, f"{SCHEME}://{team}/{key}", str(file["id"]), int(file.get("size") or 0), created)


def _key(file: Mapping[str, Any], team: str) -> str | None:
    """Return the key of a file below its channel, None for a file that Slack does not store in this workspace."""
    if file.get("mode") in ("external", "tombstone", "hidden_by_limit") or file.get("is_external"):
        return None
    found = _FILE_PATH.fullmatch(urlsplit(str(file.get("url_private") or "")).path)
    if found is None or found["team"] != team or found["file"] != file["id"]:
        _log.info("The file %s is stored in another workspace and is left out.", file.get("id"))
        return None
    name = unquote(found["name"])
    return None if "/" in name else f"{found['file']}/{name}"


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


def _access(settings: Settings, rest: str) -> SlackAccess:
    return SlackAccess.of(settings, rest.partition("/")[0])


register_scheme(SCHEME, _open_root, _open_object, example=f"{SCHEME}://TEAM", access=_access)
