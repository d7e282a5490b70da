"""Updates for people's open pages, and the form in which pages get messages, files and views."""

import asyncio
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from findimg_bot.local_slack.model.state import Channel, File, Json, Message, Team, User, View


class PageUpdates:
    """The open pages of one workspace; each is a queue of JSON objects."""

    def __init__(self, manifest: Json, file_bytes: int):
        """Args:
        file_bytes: the largest upload, which the page says before it tries.
        """
        self._features = manifest.get("features", {})
        search = self._features.get("search", {}).get("search_function_callback_id")
        self._steps = [
            {"callback_id": name, "title": each["title"], "inputs": _step_inputs(each)}
            for name, each in manifest.get("functions", {}).items()
            if name != search
        ]
        self._file_bytes = file_bytes
        self._pages: dict[str, set[asyncio.Queue[Json]]] = {}  # user id → their open pages

    def open(self, team: Team, user: User) -> asyncio.Queue[Json]:
        """Return the queue of a new page, which starts with the whole state."""
        page: asyncio.Queue[Json] = asyncio.Queue()
        page.put_nowait(self.state(team, user))
        self._pages.setdefault(user.id, set()).add(page)
        return page

    def close(self, user: User, page: asyncio.Queue[Json]) -> None:
        """Remove a closed page."""
        self._pages[user.id].discard(page)

    def message(self, team: Team, message: Message) -> None:
        """Send a new or changed message."""
        update = {"type": "message", "channel": message.channel.id, "message": shown_message(team, message)}
        self._send(_readers(message), update)

    def deleted(self, message: Message) -> None:
        """Send that a message was deleted."""
        self._send(_readers(message), {"type": "deleted", "channel": message.channel.id, "ts": message.ts})

    def modal(self, team: Team, user: str) -> None:
        """Send the topmost modal of a person, or that none is open."""
        stack = team.modals.get(user)
        self._send([user], {"type": "modal", "view": shown_view(team, stack[-1]) if stack else None})

    def home(self, team: Team, view: View) -> None:
        """Send a published Home tab."""
        self._send([view.user], {"type": "home", "view": shown_view(team, view)})

    def panel(self, team: Team, channel: Channel) -> None:
        """Send what the assistant panel of a direct message shows."""
        update = {"type": "panel", "channel": channel.id, "panel": asdict(team.panel(channel.id))}
        self._send(channel.members, update)

    def notice(self, user: str, channel: str, text: str) -> None:
        """Send one person a note of the workspace, which is not kept."""
        self._send([user], {"type": "notice", "channel": channel, "text": text})

    def file(self, team: Team, file: File) -> None:
        """Send a processed file."""
        readers = {file.user, *(user for channel in file.shares for user in team.channels[channel].members)}
        self._send(readers, {"type": "file", "file": shown_file(team, file)})

    def channel(self, team: Team, channel: Channel) -> None:
        """Send the whole state again to the members of a new channel."""
        for user in channel.members:
            for page in self._pages.get(user, ()):
                page.put_nowait(self.state(team, team.users[user]))

    def state(self, team: Team, user: User) -> Json:
        """Return all that a person can see."""
        channels = [channel for channel in team.channels.values() if user.id in channel.members]
        stack, home = team.modals.get(user.id), team.homes.get(user.id)
        return {
            "type": "state",
            "team": {"id": team.id, "name": team.name, "url": team.url},
            "me": {"id": user.id, "name": user.name},
            "bot": {"id": team.bot.id, "name": team.bot.name},
            "users": {
                each.id: {"id": each.id, "name": each.name, "is_bot": each.is_bot} for each in team.users.values()
            },
            "channels": [
                {
                    "id": each.id,
                    "name": _channel_name(team, each),
                    "is_im": each.is_im,
                    "is_mpim": each.is_mpim,
                    "is_private": each.is_private,
                    "is_ext_shared": each.is_ext_shared,
                }
                for each in channels
                if not each.is_archived
            ],
            "messages": {
                channel.id: [
                    shown_message(team, message)
                    for message in team.messages[channel.id].values()
                    if message.only_for in (None, user.id)
                ]
                for channel in channels
            },
            "commands": [
                {name: each.get(name, "") for name in ("command", "description", "usage_hint")}
                for each in self._features.get("slash_commands", ())
            ],
            "shortcuts": self._shortcuts("message"),
            "global_shortcuts": self._shortcuts("global"),
            "steps": self._steps,
            "has_search": "search" in self._features,
            "has_panel": "agent_view" in self._features,
            "panels": {channel.id: asdict(team.panel(channel.id)) for channel in channels if channel.is_im},
            "home": shown_view(team, home) if home else None,
            "modal": shown_view(team, stack[-1]) if stack else None,
            "limits": {"file_bytes": self._file_bytes},
        }

    def _shortcuts(self, kind: str) -> list[Json]:
        return [
            {"name": each["name"], "callback_id": each["callback_id"]}
            for each in self._features.get("shortcuts", ())
            if each["type"] == kind
        ]

    def _send(self, users: Iterable[str], update: Json) -> None:
        for user in users:
            for page in self._pages.get(user, ()):
                page.put_nowait(update)


def shown_file(team: Team, file: File) -> Json:
    """Return a file as the page needs it."""
    return {
        "id": file.id,
        "name": file.name,
        "mimetype": file.mimetype,
        "size": len(file.data or b""),
        "url": f"/page/file/{file.id}",
        "permalink": team.permalink(file),
        "width": file.width,
        "height": file.height,
    }


def shown_message(team: Team, message: Message) -> Json:
    """Return a message as the page needs it."""
    shown = dict(message.content)
    if "bot_id" not in shown:
        shown.pop("blocks", None)  # a person's rich text is their text
    if "blocks" in shown:
        shown["blocks"] = _with_page_urls(shown["blocks"])
    if "attachments" in shown:
        shown["attachments"] = [_shown_attachment(team, each) for each in shown["attachments"]]
    if "files" in shown:
        files = [team.files[file["id"]] for file in shown["files"]]
        shown["files"] = [shown_file(team, file) for file in files if not file.deleted]
    if message.only_for:
        shown["ephemeral"] = True
    return shown


def _shown_attachment(team: Team, attachment: Json) -> Json:
    """Return a forwarded message, or the preview of a link."""
    if attachment.get("is_app_unfurl"):
        return {"blocks": _with_page_urls(attachment["blocks"])}
    files = [team.files[file["id"]] for file in attachment.get("files", ()) if file["id"] in team.files]
    about = {name: attachment.get(name, "") for name in ("author_name", "text", "channel_id")}
    return about | {"files": [shown_file(team, file) for file in files if not file.deleted]}


def shown_view(team: Team, view: View) -> Json:
    """Return a view as the page needs it."""
    return view.content | {"blocks": _with_page_urls(view.content["blocks"])}


def file_named(slack_file: Json) -> str:
    """Return the id of the file in a block's `slack_file`, or an empty string."""
    if "id" in slack_file:
        return str(slack_file["id"])
    # …/files-pri/T…-F…/name and https://….slack.com/files/U…/F…/name
    parts = str(slack_file.get("url", "")).split("/")
    return next((name for part in parts for name in [part.rpartition("-")[2]] if name.startswith("F")), "")


def _step_inputs(step: Json) -> list[Json]:
    """Return the inputs of a step that a person fills in. Slack fills in the person."""
    parameters = step.get("input_parameters", {}).values()
    return [each for each in parameters if each["type"] != "slack#/types/user_context"]


def _channel_name(team: Team, channel: Channel) -> str:
    """Return a channel's name, or for a group direct message the names of its people."""
    if not channel.is_mpim:
        return channel.name
    return ", ".join(sorted(team.users[user].name for user in channel.members if not team.users[user].is_bot))


def _with_page_urls(value: object) -> Any:
    if isinstance(value, list):
        return [_with_page_urls(each) for each in value]
    if not isinstance(value, dict):
        return value
    painted = {name: _with_page_urls(each) for name, each in value.items()}
    if isinstance(value.get("slack_file"), dict):
        painted["page_url"] = f"/page/file/{file_named(value['slack_file'])}"
    return painted


def _readers(message: Message) -> Iterable[str]:
    return [message.only_for] if message.only_for else message.channel.members
