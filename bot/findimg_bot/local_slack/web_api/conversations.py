"""The Web API's methods for channels and people."""

from collections.abc import Iterable

from findimg_bot.local_slack.model.messages import Messages
from findimg_bot.local_slack.model.state import Channel, Json, Message, User
from findimg_bot.local_slack.web_api.api import Api, ApiError, Call

_PAGE = 1000  # messages or channels at most in one answer


class Conversations:
    """Describes channels, messages and people to the bot."""

    def __init__(self, messages: Messages):
        self._messages = messages

    def register(self, api: Api) -> None:
        """Register the methods. The scope of most of them depends on the channel."""
        api.methods |= {
            "conversations.history": (self.history, ""),
            "conversations.replies": (self.replies, ""),
            "conversations.info": (self.info, ""),
            "conversations.open": (self.open, "im:write"),
            "conversations.list": (self.list, ""),
            "users.conversations": (self.of_user, ""),
            "users.info": (self.user, "users:read"),
            "bots.info": (self.bot, "users:read"),
        }

    def history(self, call: Call) -> Json:
        """`conversations.history`: newest first, without replies."""
        channel = _readable(call, "history")
        found = [
            message
            for message in call.team.messages[channel.id].values()
            if message.only_for is None and message.content.get("thread_ts", message.ts) == message.ts
        ]
        return self._page(call, list(reversed(found)), 100)

    def replies(self, call: Call) -> Json:
        """`conversations.replies`: a message and its replies, oldest first."""
        channel = _readable(call, "history")
        ts = call.arguments.text("ts", "")
        found = call.team.thread(channel.id, ts)
        if not found:
            raise ApiError("thread_not_found")
        return self._page(call, found, 1000)

    def info(self, call: Call) -> Json:
        """`conversations.info`."""
        channel = call.team.channel(call.arguments.text("channel", ""))
        if channel is None or (channel.is_private and call.team.bot.id not in channel.members):
            raise ApiError("channel_not_found")
        call.need(f"{channel.kind}:read")
        return {"channel": _described(channel, call.team.bot.id)}

    def open(self, call: Call) -> Json:
        """`conversations.open`, for one person."""
        names = [name for name in call.arguments.text("users", "").split(",") if name]
        if not names:
            raise ApiError("users_list_not_supplied")
        if len(names) > 1:
            raise ApiError("method_not_supported_for_channel_type")
        if names[0] not in call.team.users:
            raise ApiError("user_not_found")
        channel = call.team.direct(names[0])
        return {"channel": _described(channel, call.team.bot.id)}

    def list(self, call: Call) -> Json:
        """`conversations.list`."""
        if call.team.installation.org_wide and not call.arguments.text("team_id", ""):
            raise ApiError("missing_argument", needed="team_id")
        return _channels_page(call, _wanted_channels(call))

    def of_user(self, call: Call) -> Json:
        """`users.conversations`: those of a person that the bot can see."""
        user = call.arguments.text("user", call.team.bot.id)
        if user not in call.team.users and user != call.team.bot.id:
            raise ApiError("user_not_found")
        return _channels_page(call, [channel for channel in _wanted_channels(call) if user in channel.members])

    def user(self, call: Call) -> Json:
        """`users.info`."""
        user = call.team.users.get(call.arguments.text("user", ""))
        if user is None:
            raise ApiError("user_not_found")
        return {"user": _person(user, call.team.id)}

    def bot(self, call: Call) -> Json:
        """`bots.info`."""
        if call.arguments.text("bot", call.team.bot_id) != call.team.bot_id:
            raise ApiError("bot_not_found")
        bot = {"id": call.team.bot_id, "deleted": False, "name": call.team.bot.name, "user_id": call.team.bot.id}
        return {"bot": bot}

    def _page(self, call: Call, messages: Iterable[Message], default: int) -> Json:
        oldest, latest = call.arguments.text("oldest", ""), call.arguments.text("latest", "")
        inclusive = call.arguments.flag("inclusive")
        after = call.arguments.text("cursor", "")
        found = [
            message
            for message in messages
            if (not oldest or message.ts > oldest or (inclusive and message.ts == oldest))
            and (not latest or message.ts < latest or (inclusive and message.ts == latest))
        ]
        if after:
            names = [message.ts for message in found]
            if after not in names:
                raise ApiError("invalid_cursor")
            found = found[names.index(after) :]
        limit = call.arguments.number("limit", default, _PAGE)
        shown, rest = found[:limit], found[limit:]
        return {
            "messages": [self._messages.described(call.team, message) for message in shown],
            "has_more": bool(rest),
            "response_metadata": {"next_cursor": rest[0].ts if rest else ""},
        }


def _wanted_channels(call: Call) -> list[Channel]:
    """Return the channels of the wanted types that the bot can see."""
    kinds = {"public_channel": "channels", "private_channel": "groups", "im": "im", "mpim": "mpim"}
    wanted = [kinds.get(kind) for kind in call.arguments.text("types", "public_channel").split(",")]
    if None in wanted:
        raise ApiError("invalid_types")
    for kind in wanted:
        call.need(f"{kind}:read")
    return [
        channel
        for channel in call.team.channels.values()
        if channel.kind in wanted
        and (not channel.is_private or call.team.bot.id in channel.members)
        and not (channel.is_archived and call.arguments.flag("exclude_archived"))
    ]


def _channels_page(call: Call, channels: list[Channel]) -> Json:
    """Return one page of channels. The cursor is the number of channels before it."""
    cursor = call.arguments.text("cursor", "0")
    if not cursor.isdecimal():
        raise ApiError("invalid_cursor")
    start, end = int(cursor), int(cursor) + call.arguments.number("limit", 100, _PAGE)
    return {
        "channels": [_described(channel, call.team.bot.id) for channel in channels[start:end]],
        "response_metadata": {"next_cursor": str(end) if end < len(channels) else ""},
    }


def _readable(call: Call, what: str) -> Channel:
    channel = call.team.channel(call.arguments.text("channel", ""))
    if channel is None:
        raise ApiError("channel_not_found")
    call.need(f"{channel.kind}:{what}")
    if call.team.bot.id not in channel.members:
        raise ApiError("channel_not_found" if channel.is_private else "not_in_channel")
    return channel


def _described(channel: Channel, bot: str) -> Json:
    described: Json = {"id": channel.id, "created": channel.created, "is_archived": channel.is_archived}
    described |= {"is_im": channel.is_im, "is_mpim": channel.is_mpim, "is_ext_shared": channel.is_ext_shared}
    if channel.is_im:
        return described | {"user": next(iter(channel.members - {bot})), "is_open": True}
    return described | {
        "name": channel.name,
        "is_channel": not channel.is_private,
        "is_group": channel.is_private and not channel.is_mpim,
        "is_private": channel.is_private,
        "is_member": bot in channel.members,
        "num_members": len(channel.members),
    }


def _person(user: User, team: str) -> Json:
    return {
        "id": user.id,
        "team_id": user.home_team or team,
        "is_stranger": bool(user.home_team),
        "is_restricted": user.is_guest,
        "is_ultra_restricted": user.is_guest,
        "name": user.name,
        "real_name": user.name,
        "deleted": False,
        "is_bot": user.is_bot,
        "profile": {"real_name": user.name, "display_name": user.name},
        "tz": "UTC",
    }
