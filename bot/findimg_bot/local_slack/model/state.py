"""The workspace's state, in memory: teams, people, channels, messages, files and views."""

import secrets
import string
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from findimg_bot.local_slack.model.installation import Installation, Organisation
from findimg_bot.local_slack.model.panel import Panel

Json = dict[str, Any]
_ID_LETTERS = string.ascii_uppercase + string.digits


def new_id(kind: str) -> str:
    """Return an id in Slack's form: a letter for the kind, and ten letters or digits."""
    return kind + "".join(secrets.choice(_ID_LETTERS) for _ in range(10))


@dataclass(frozen=True, slots=True)
class User:
    """A person or a bot in a team."""

    id: str
    name: str
    is_bot: bool = False
    home_team: str = ""  # for a member of another organisation, in a channel shared by Slack Connect
    is_guest: bool = False
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)  # opens the page as this person


@dataclass(slots=True)
class Channel:
    """A channel, with `is_im` a direct message of two, with `is_mpim` one of more."""

    id: str
    name: str
    members: set[str]  # user ids
    is_private: bool = False
    is_im: bool = False
    is_mpim: bool = False
    is_archived: bool = False
    is_ext_shared: bool = False  # shared with another organisation by Slack Connect
    created: int = field(default_factory=lambda: int(time.time()))

    @property
    def kind(self) -> str:
        """Return `im`, `mpim`, `groups` or `channels`, as scopes and events name it."""
        if self.is_im or self.is_mpim:
            return "im" if self.is_im else "mpim"
        return "groups" if self.is_private else "channels"


@dataclass(slots=True)
class Message:
    """A message's content in Slack's form, and the person who alone sees it."""

    channel: Channel
    content: Json
    only_for: str | None = None  # the user who alone sees it

    @property
    def ts(self) -> str:
        """Return the time it was sent, which identifies it within its channel."""
        return str(self.content["ts"])


@dataclass(slots=True)
class File:
    """An uploaded file, or an external one with an arbitrary address."""

    id: str
    user: str
    name: str
    title: str
    data: bytes | None = None  # None until it is uploaded, and for external ones
    mimetype: str = ""  # empty until it is ready
    width: int = 0  # pixels, 0 for what is no image
    height: int = 0
    created: float = field(default_factory=time.time)
    complete: bool = False  # whether the upload was finished
    deleted: bool = False
    external_url: str = ""
    seen_by_bot: bool = False  # the bot's own, or given to it in a modal
    shares: dict[str, list[str]] = field(default_factory=dict)  # channel id → the messages' ts


@dataclass(slots=True)
class View:
    """A modal or a Home tab that one person sees."""

    content: Json
    user: str

    @property
    def id(self) -> str:
        """Return the view's id."""
        return str(self.content["id"])


@dataclass(slots=True)
class Team:
    """A Slack team that can have the app installed."""

    id: str
    name: str
    bot: User
    scopes: frozenset[str]
    bot_id: str = field(default_factory=lambda: new_id("B"))
    installation: Installation = field(default_factory=Installation)
    organisation: Organisation | None = None  # of Enterprise Grid
    users: dict[str, User] = field(default_factory=dict)
    channels: dict[str, Channel] = field(default_factory=dict)
    messages: dict[str, dict[str, Message]] = field(default_factory=dict)  # channel id → ts → message
    files: dict[str, File] = field(default_factory=dict)
    modals: dict[str, list[View]] = field(default_factory=dict)  # user id → from the root to the topmost
    homes: dict[str, View] = field(default_factory=dict)  # user id → Home tab
    panels: dict[str, Panel] = field(default_factory=dict)  # id of a direct message → its assistant panel
    viewed: dict[str, str] = field(default_factory=dict)  # user id → the channel beside the open assistant panel
    _last_ts: int = 0

    @property
    def bot_token(self) -> str:
        """Return the app's newest token."""
        return self.installation.token

    @property
    def installed(self) -> bool:
        """Return whether the app is in the team."""
        return self.installation.installed

    @installed.setter
    def installed(self, installed: bool) -> None:
        self.installation.installed = installed

    @property
    def url(self) -> str:
        """Return the address with which permalinks begin."""
        return f"https://{self.name}.slack.com/"

    def permalink(self, file: File) -> str:
        """Return a file's permalink."""
        return f"{self.url}files/{file.user}/{file.id}/{quote(file.name)}"

    def add_user(self, name: str, token: str | None = None) -> User:
        """Add a person to the team, to its `general` and to a direct message with the bot.

        Args:
            token: opens the page as this person. None generates one.
        """
        user = User(new_id("U"), name, token=token or secrets.token_urlsafe(32))
        self.users[user.id] = user
        for channel in self.channels.values():
            if channel.name == "general":
                channel.members.add(user.id)
        self.direct(user.id)
        return user

    def add_guest(self, name: str, channel: Channel) -> User:
        """Add a guest, who is only in one channel and in a direct message with the bot."""
        user = User(new_id("U"), name, is_guest=True)
        self.users[user.id] = user
        channel.members.add(user.id)
        self.direct(user.id)
        return user

    def add_stranger(self, name: str, channel: Channel, token: str | None = None) -> User:
        """Add a member of another organisation to a channel, which Slack Connect then shares.

        Args:
            token: opens the page as this person. None generates one.
        """
        user = User(new_id("U"), name, home_team=new_id("T"), token=token or secrets.token_urlsafe(32))
        self.users[user.id] = user
        channel.members.add(user.id)
        channel.is_ext_shared = True
        return user

    def group_direct(self, people: Iterable[User]) -> Channel:
        """Return a new group direct message of these people and the bot."""
        users = [*people, self.bot]
        name = f"mpdm-{'--'.join(user.name for user in users)}-1"
        channel = Channel(new_id("G"), name, {user.id for user in users}, is_private=True, is_mpim=True)
        self.channels[channel.id] = channel
        self.messages[channel.id] = {}
        return channel

    def add_channel(
        self, name: str, *, members: Iterable[str] | None = None, private: bool = False, bot: bool = True
    ) -> Channel:
        """Return a new channel.

        Args:
            members: ids of the people in it; None is everybody.
            bot: whether the bot is in it.
        """
        people = [user.id for user in self.users.values() if not user.is_bot] if members is None else members
        channel = Channel(new_id("C"), name, {*people, *([self.bot.id] if bot else [])}, is_private=private)
        self.channels[channel.id] = channel
        self.messages[channel.id] = {}
        return channel

    def channel(self, name: str) -> Channel | None:
        """Return the channel with this id or name."""
        if found := self.channels.get(name):
            return found
        plain = name.removeprefix("#")
        return next((each for each in self.channels.values() if not each.is_im and each.name == plain), None)

    def direct(self, user: str) -> Channel:
        """Return the direct message of a person and the bot."""
        members = {user, self.bot.id}
        for channel in self.channels.values():
            if channel.is_im and channel.members == members:
                return channel
        channel = Channel(new_id("D"), self.bot.name, members, is_private=True, is_im=True)
        self.channels[channel.id] = channel
        self.messages[channel.id] = {}
        return channel

    def panel(self, channel: str) -> Panel:
        """Return the assistant panel of a direct message."""
        return self.panels.setdefault(channel, Panel())

    def next_ts(self) -> str:
        """Return the current time as a message's ts, later than every earlier one."""
        self._last_ts = max(time.time_ns() // 1000, self._last_ts + 1)
        return f"{self._last_ts // 10**6}.{self._last_ts % 10**6:06d}"

    def message(self, channel: str, ts: str) -> Message | None:
        """Return the message of a channel with this ts."""
        return self.messages.get(channel, {}).get(ts)

    def thread(self, channel: str, ts: str) -> list[Message]:
        """Return a message and its replies, oldest first, without ephemeral messages."""
        return [
            each
            for each in self.messages[channel].values()
            if each.only_for is None and ts in (each.ts, each.content.get("thread_ts"))
        ]

    def view(self, name: str) -> View | None:
        """Return the open view with this id or external id."""
        modals = [view for stack in self.modals.values() for view in stack]
        return next(
            (view for view in (*modals, *self.homes.values()) if name in (view.id, view.content.get("external_id"))),
            None,
        )

    def bot_sees(self, file: File) -> bool:
        """Return whether the app can access a file: its own, from a modal, or in a channel with the bot."""
        return file.seen_by_bot or any(
            times and channel in self.channels and self.bot.id in self.channels[channel].members
            for channel, times in file.shares.items()
        )
