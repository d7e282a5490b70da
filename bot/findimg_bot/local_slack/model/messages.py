"""Messages: post, update and delete them, and notify the bot and the pages."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from findimg_bot.local_slack.delivery.events import Events
from findimg_bot.local_slack.model.emoji import with_emoji_names
from findimg_bot.local_slack.model.files import describe
from findimg_bot.local_slack.model.page_updates import PageUpdates
from findimg_bot.local_slack.model.previews import preview
from findimg_bot.local_slack.model.state import Channel, File, Json, Message, Team, User, new_id

_ENTITY = re.compile(r"&(?!(?:amp|lt|gt);)")
_REFERENCE = re.compile(r"<(?=[@#!][^<>\s]+>|https?://[^<>\s]+>)([^<>]+)>")
_RICH = re.compile(r"<(?P<reference>[^<>]+)>|(?<!\w):(?P<emoji>[a-z0-9_+-]*[a-z+-][a-z0-9_+-]*):", re.IGNORECASE)
_LINK = re.compile(r"https?://[^\s<>|]+")


@dataclass(frozen=True, slots=True)
class NewMessage:
    """What a person or the bot sends."""

    text: str  # of a person as it was typed, or with `<@U…>` for a mention
    blocks: Sequence[Json] = ()  # of the bot
    thread: str = ""  # timestamp of the thread
    files: Sequence[File] = ()
    attachments: Sequence[Json] = ()  # forwarded messages


class Messages:
    """The messages of all teams."""

    def __init__(self, page_updates: PageUpdates, events: Events, address: str):
        """Args:
        address: where the workspace lives, for the addresses of files.
        """
        self._page_updates = page_updates
        self._events = events
        self._address = address

    def say(self, team: Team, channel: Channel, user: User, new: NewMessage) -> Message:
        """Send a person's message; the bot gets the events that it subscribed to."""
        content: Json = {
            "type": "message",
            "user": user.id,
            "text": escaped_text(new.text),
            "team": team.id,
            "client_msg_id": new_id("M").lower(),
        }
        if content["text"]:
            content["blocks"] = [rich_text(content["text"])]
        if new.attachments:
            content["attachments"] = list(new.attachments)
        message = self._add(team, channel, content, new.thread, new.files)
        self._events.message_sent(team, message, self._address)
        return message

    def post(self, team: Team, channel: Channel, new: NewMessage, only_for: str | None = None) -> Message:
        """Post the bot's message to a channel, or to one person in it."""
        content: Json = {"type": "message", "user": team.bot.id, "bot_id": team.bot_id, "team": team.id}
        content["text"] = new.text
        if new.blocks:
            content["blocks"] = named_blocks(new.blocks)
        if channel.is_im and team.panel(channel.id).statuses.pop(new.thread, ""):
            self._page_updates.panel(team, channel)
        message = self._add(team, channel, content, new.thread, new.files, only_for)
        if not only_for:
            self._events.message_sent(team, message, self._address)
        return message

    def edit(self, team: Team, message: Message, text: str) -> None:
        """Replace the text of a person's message; the bot gets `message_changed`."""
        before = dict(message.content)
        user = message.content["user"]
        message.content |= {"text": escaped_text(text), "edited": {"user": user, "ts": team.next_ts()}}
        message.content["blocks"] = [rich_text(message.content["text"])]
        self._events.changed(team, message, before)
        self._page_updates.message(team, message)

    def forwarded(self, team: Team, message: Message) -> Json:
        """Return a message as an attachment of the message that forwards it, with its files."""
        user = str(message.content.get("user", ""))
        original = self.described(team, message)
        attachment: Json = {
            "is_share": True,
            "is_msg_unfurl": True,
            "id": 1,
            "ts": message.ts,
            "author_id": user,
            "author_name": team.users[user].name if user in team.users else message.content.get("username", ""),
            "channel_id": message.channel.id,
            "channel_team": team.id,
            "from_url": f"{team.url}archives/{message.channel.id}/p{message.ts.replace('.', '')}",
            "text": message.content["text"],
            "fallback": message.content["text"],
            "mrkdwn_in": ["text"],
        }
        if "files" in original:
            attachment["files"] = original["files"]
        if "bot_id" in original and "blocks" in original:
            about = {"team": team.id, "channel": message.channel.id, "ts": message.ts}
            attachment["message_blocks"] = [about | {"message": {"blocks": original["blocks"]}}]
        return attachment

    def post_as_workflow(self, team: Team, channel: Channel, name: str, text: str) -> Message:
        """Post a workflow's message: it has a name and a bot id, but no user."""
        content: Json = {
            "type": "message",
            "subtype": "bot_message",
            "bot_id": new_id("B"),
            "username": name,
            "team": team.id,
            "text": escaped_text(text),
        }
        message = self._add(team, channel, content, "", ())
        self._events.message_sent(team, message, self._address)
        return message

    def change(self, team: Team, message: Message, text: str, blocks: Sequence[Json] | None) -> None:
        """Replace the text and the blocks of the bot's message.

        Args:
            blocks: None removes the blocks, as Slack does when it gets only a text.
        """
        before = dict(message.content)
        message.content["text"] = text
        message.content.pop("blocks", None)
        if blocks:
            message.content["blocks"] = named_blocks(blocks)
        if not message.only_for:
            message.content["edited"] = {"user": team.bot.id, "ts": team.next_ts()}
            self._events.changed(team, message, before)
        self._page_updates.message(team, message)

    def unfurl(self, team: Team, message: Message, previews: Mapping[str, Sequence[Json]], app: str) -> None:
        """Show previews of links below a person's message, in place of earlier ones.

        Args:
            previews: link → blocks.
            app: id of the app.
        """
        kept = [each for each in message.content.get("attachments", ()) if not each.get("is_app_unfurl")]
        made = [
            preview(number, url, named_blocks(blocks), app)
            for number, (url, blocks) in enumerate(previews.items(), start=len(kept) + 1)
        ]
        message.content["attachments"] = kept + made
        self._page_updates.message(team, message)

    def delete(self, team: Team, message: Message) -> None:
        """Delete a message."""
        del team.messages[message.channel.id][message.ts]
        for file in message.content.get("files", ()):
            team.files[file["id"]].shares[message.channel.id].remove(message.ts)
        self._page_updates.deleted(message)
        if not message.only_for:
            self._events.deleted(team, message)

    def described(self, team: Team, message: Message) -> Json:
        """Return a message as the Web API and events describe it."""
        shown = dict(message.content)
        if "files" in shown:
            shown["files"] = [describe(team, team.files[file["id"]], self._address) for file in shown["files"]]
        replies = [each for each in team.thread(message.channel.id, message.ts) if each.ts != message.ts]
        if replies:
            shown |= {
                "thread_ts": message.ts,
                "reply_count": len(replies),
                "reply_users_count": len({each.content.get("user") for each in replies}),
                "latest_reply": replies[-1].ts,
            }
        return shown

    def _add(
        self,
        team: Team,
        channel: Channel,
        content: Json,
        thread: str,
        files: Iterable[File],
        only_for: str | None = None,
    ) -> Message:
        content["ts"] = team.next_ts()
        if thread:
            parent = team.message(channel.id, thread)
            content["thread_ts"] = parent.content.get("thread_ts", thread) if parent else thread
            if parent:
                content["parent_user_id"] = parent.content.get("user", "")
        message = Message(channel, content, only_for)
        shared = list(files)
        if shared:
            content["files"] = [{"id": file.id} for file in shared]
            for file in shared:
                file.shares.setdefault(channel.id, []).append(message.ts)
        team.messages[channel.id][message.ts] = message
        self._page_updates.message(team, message)
        return message


def escaped_text(text: str) -> str:
    """Return typed text as Slack sends it: entities for & < >, and links in angle brackets."""
    pieces = []
    end = 0
    for match in _REFERENCE.finditer(text):
        pieces += [_escaped_plain(text[end : match.start()]), match[0]]
        end = match.end()
    return "".join([*pieces, _escaped_plain(text[end:])])


def entities(text: str) -> str:
    """Return text with entities for & < >. Entities in the text are kept."""
    return _ENTITY.sub("&amp;", text).replace("<", "&lt;").replace(">", "&gt;")


def rich_text(text: str) -> Json:
    """Return the `rich_text` block that Slack's composer makes of a person's message.

    Args:
        text: the message's text as Slack passes it on, with entities and references in angle brackets.
    """
    elements: list[Json] = []
    end = 0
    for match in _RICH.finditer(text):
        elements += _plain_elements(text[end : match.start()])
        elements.append(_rich_element(match))
        end = match.end()
    elements += _plain_elements(text[end:])
    section: Json = {"type": "rich_text_section", "elements": elements}
    return {"type": "rich_text", "block_id": new_id("b"), "elements": [section]}


def _plain_elements(text: str) -> list[Json]:
    plain = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    return [{"type": "text", "text": plain}] if plain else []


def _rich_element(match: re.Match[str]) -> Json:
    if name := match["emoji"]:
        return {"type": "emoji", "name": name}
    target, _, label = match["reference"].partition("|")
    match target[0]:
        case "@":
            return {"type": "user", "user_id": target[1:]}
        case "#":
            return {"type": "channel", "channel_id": target[1:]}
        case "!":
            return {"type": "broadcast", "range": target[1:]}
        case _:
            return {"type": "link", "url": target.replace("&amp;", "&")} | ({"text": label} if label else {})


def named_blocks(blocks: Iterable[Json]) -> list[Json]:
    """Return blocks with the block_id and action_id values that Slack adds where they are missing."""
    named: list[Json] = []
    for block in blocks:
        copy: Json = {"block_id": new_id("b"), **block}
        for name in ("accessory", "element"):
            if name in copy:
                copy[name] = _named(copy[name])
        if copy["type"] in ("actions", "context"):
            copy["elements"] = [_named(element) for element in copy["elements"]]
        if copy["type"] == "carousel":
            copy["elements"] = named_blocks(copy["elements"])
        if copy["type"] == "card" and "actions" in copy:
            copy["actions"] = [_named(element) for element in copy["actions"]]
        named.append(copy)
    return named


def _named(element: Any) -> Any:
    if element["type"] in ("image", "mrkdwn", "plain_text"):
        return element
    return {"action_id": new_id("a"), **element}


def _escaped_plain(text: str) -> str:
    return _LINK.sub(r"<\g<0>>", entities(with_emoji_names(text)))
