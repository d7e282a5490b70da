"""The Web API's chat methods."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from findimg_bot.local_slack.model.limits import message_problems
from findimg_bot.local_slack.model.messages import Messages, NewMessage
from findimg_bot.local_slack.model.previews import message_of, urls_in
from findimg_bot.local_slack.model.state import Channel, Json, Message, Team
from findimg_bot.local_slack.web_api.api import Api, ApiError, Call

_TEXT, _UPDATED_TEXT = 40_000, 4_000  # characters that Slack takes in a new message, and in a changed one


class Chat:
    """Posts, updates and deletes the bot's messages."""

    def __init__(self, messages: Messages, showable: Callable[[Team, Mapping[str, Any]], bool], app_id: str):
        self._app = app_id
        self._messages = messages
        self._showable = showable

    def register(self, api: Api) -> None:
        """Register the methods."""
        api.methods |= {
            "chat.postMessage": (self.post, "chat:write"),
            "chat.postEphemeral": (self.post_ephemeral, "chat:write"),
            "chat.update": (self.update, "chat:write"),
            "chat.delete": (self.delete, "chat:write"),
            "chat.getPermalink": (self.permalink, ""),
            "chat.unfurl": (self.unfurl, "links:write"),
        }

    def post(self, call: Call) -> Json:
        """`chat.postMessage`."""
        channel = writable_channel(call.team, call.arguments.text("channel", ""))
        text, blocks = self._content(call, _TEXT)
        thread = call.arguments.text("thread_ts", "")
        message = self._messages.post(call.team, channel, NewMessage(text, blocks or (), thread))
        described = self._messages.described(call.team, message)
        return {"channel": channel.id, "ts": message.ts, "message": described}

    def post_ephemeral(self, call: Call) -> Json:
        """`chat.postEphemeral`."""
        channel = writable_channel(call.team, call.arguments.text("channel", ""))
        user = call.arguments.text("user")
        if user not in channel.members:
            raise ApiError("user_not_in_channel")
        text, blocks = self._content(call, _TEXT)
        thread = call.arguments.text("thread_ts", "")
        message = self._messages.post(call.team, channel, NewMessage(text, blocks or (), thread), only_for=user)
        return {"message_ts": message.ts}

    def update(self, call: Call) -> Json:
        """`chat.update`."""
        message = self._own(call, "cant_update_message")
        text, blocks = self._content(call, _UPDATED_TEXT)
        self._messages.change(call.team, message, text, blocks)
        described = self._messages.described(call.team, message)
        return {"channel": message.channel.id, "ts": message.ts, "text": text, "message": described}

    def delete(self, call: Call) -> Json:
        """`chat.delete`."""
        message = self._own(call, "cant_delete_message")
        self._messages.delete(call.team, message)
        return {"channel": message.channel.id, "ts": message.ts}

    def permalink(self, call: Call) -> Json:
        """`chat.getPermalink`."""
        channel = call.team.channel(call.arguments.text("channel", ""))
        if channel is None or (channel.is_private and call.team.bot.id not in channel.members):
            raise ApiError("channel_not_found")
        message = call.team.message(channel.id, call.arguments.text("message_ts", ""))
        if message is None or message.only_for:
            raise ApiError("message_not_found")
        link = f"{call.team.url}archives/{channel.id}/p{message.ts.replace('.', '')}"
        if (thread := message.content.get("thread_ts")) and thread != message.ts:
            link += f"?thread_ts={thread}&cid={channel.id}"
        return {"channel": channel.id, "permalink": link}

    def unfurl(self, call: Call) -> Json:
        """`chat.unfurl`, for a message that is named by its unfurl id, or by its channel and ts."""
        arguments = call.arguments
        if name := arguments.text("unfurl_id", ""):
            if arguments.text("source", "") not in ("composer", "conversations_history"):
                raise ApiError("invalid_source")
            message = message_of(call.team, name)
        else:
            message = call.team.message(arguments.text("channel"), arguments.text("ts"))
        if message is None or "bot_id" in message.content:
            raise ApiError("cannot_find_message")
        unfurls = arguments.json("unfurls", "invalid_unfurls_format")
        if not isinstance(unfurls, dict) or not all(isinstance(each, dict) for each in unfurls.values()):
            raise ApiError("invalid_unfurls_format" if unfurls else "missing_unfurls")
        if not set(unfurls) <= set(urls_in(str(message.content["text"]))):
            raise ApiError("cannot_unfurl_url")
        for each in unfurls.values():
            if message_problems(each.get("blocks"), lambda slack_file: self._showable(call.team, slack_file)):
                raise ApiError("cannot_parse_attachment")
        self._messages.unfurl(call.team, message, {url: each["blocks"] for url, each in unfurls.items()}, self._app)
        return {}

    def _content(self, call: Call, most: int) -> tuple[str, Sequence[Json] | None]:
        text = call.arguments.text("text", "")
        blocks = call.arguments.json("blocks", "invalid_blocks_format")
        if not text and not blocks:
            raise ApiError("no_text")
        if len(text) > most:
            raise ApiError("msg_too_long")
        if blocks is not None:
            check_blocks(blocks, lambda slack_file: self._showable(call.team, slack_file))
        return text, blocks

    def _own(self, call: Call, refused: str) -> Message:
        channel = writable_channel(call.team, call.arguments.text("channel", ""), by_user=False)
        message = call.team.message(channel.id, call.arguments.text("ts", ""))
        # Only a response_url can change an ephemeral message.
        if message is None or message.only_for:
            raise ApiError("message_not_found")
        if message.content.get("user") != call.team.bot.id:
            raise ApiError(refused)
        return message


def writable_channel(team: Team, name: str, by_user: bool = True) -> Channel:
    """Return a channel in which the bot can post.

    Args:
        name: a channel's id or name; with `by_user` a person's id too, which is the direct message with them.

    Raises:
        ApiError: `channel_not_found`, or `not_in_channel`.
    """
    if by_user and name in team.users:
        return team.direct(name)
    channel = team.channel(name)
    if channel is None:
        raise ApiError("channel_not_found")
    if channel.is_archived:
        raise ApiError("is_archived")
    if team.bot.id not in channel.members:
        # Slack hides that a private channel exists.
        raise ApiError("channel_not_found" if channel.is_private else "not_in_channel")
    return channel


def check_blocks(blocks: object, slack_file: Callable[[Mapping[str, Any]], bool]) -> None:
    """Refuse invalid blocks, as Slack does.

    Raises:
        ApiError: `invalid_blocks`, with what is wrong and where.
    """
    if problems := message_problems(blocks, slack_file):
        messages = [f"[ERROR] {problem}" for problem in problems]
        raise ApiError("invalid_blocks", errors=problems, response_metadata={"messages": messages})
