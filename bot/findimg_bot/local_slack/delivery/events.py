"""The Events API: sends the events of the app's manifest until they are acknowledged."""

import asyncio
import time
from collections.abc import Callable, Iterable
from copy import deepcopy
from typing import Any

from findimg_bot.local_slack.delivery.http import EVENTS, Delivery, DeliveryError, Retry
from findimg_bot.local_slack.fault_injection import Timing
from findimg_bot.local_slack.model.files import describe
from findimg_bot.local_slack.model.panel import viewed
from findimg_bot.local_slack.model.previews import links_to, unfurl_id
from findimg_bot.local_slack.model.state import File, Json, Message, Team, new_id

_SCOPES = {
    "app_mention": "app_mentions:read",
    "link_shared": "links:read",
    "message.im": "im:history",
    "message.channels": "channels:history",
    "message.groups": "groups:history",
    "message.mpim": "mpim:history",
    "file_deleted": "files:read",
    "file_shared": "files:read",
}
_CONTEXT_CHANGED = "app_context_changed"


class Events:
    """Sends events to the bot."""

    def __init__(
        self,
        delivery: Delivery,
        subscribed: Iterable[str],
        app_id: str,
        timing: Timing,
        file_stubs: Callable[[], bool] = lambda: False,
        unfurl_domains: Iterable[str] = (),
    ):
        """Args:
        subscribed: the events of the app's manifest.
        unfurl_domains: the domains to which links are reported.
        file_stubs: whether messages name their files by id only.
        """
        self._file_stubs = file_stubs
        self._unfurl_domains = tuple(unfurl_domains)
        self._delivery = delivery
        self._subscribed = frozenset(subscribed)
        self._app_id = app_id
        self._timing = timing
        self._tasks: set[asyncio.Task[None]] = set()

    def message_sent(self, team: Team, message: Message, address: str) -> None:
        """Send the events of a new message.

        Args:
            address: the base address of downloads.
        """
        channel, event = message.channel, dict(message.content)
        event |= {"channel": channel.id, "event_ts": message.ts}
        if "files" in event:
            about = _stub if self._file_stubs() else describe
            event["files"] = [about(team, team.files[file["id"]], address) for file in event["files"]]
            event["upload"] = False
        self._links_shared(team, message)
        if team.bot.id not in channel.members:
            return
        for file in message.content.get("files", ()):
            named = {"file_id": file["id"], "file": {"id": file["id"]}, "channel_id": channel.id}
            self.send_change(team, "file_shared", named | {"user_id": message.content.get("user", "")})
        envelope: Json = {"is_ext_shared_channel": channel.is_ext_shared}
        sender = team.users.get(str(event.get("user")))
        if sender and sender.home_team:
            event |= {"team": sender.home_team, "user_team": sender.home_team, "source_team": sender.home_team}
        mentioned = f"<@{team.bot.id}>" in str(event["text"]) and event.get("user") != team.bot.id
        # Slack sends no app_mention for direct messages.
        if mentioned and not channel.is_im:
            self._send(team, "app_mention", event | {"type": "app_mention"}, envelope)
        subtype = {"subtype": "file_share"} if "files" in event and "bot_id" not in event else {}
        event |= {"channel_type": _channel_type(message)} | subtype
        # Slack adds this to direct messages for apps that subscribe to changes of it.
        if channel.is_im and _CONTEXT_CHANGED in self._subscribed and event.get("user") in team.viewed:
            event["app_context"] = viewed(team.viewed[event["user"]], team.id)
        self._send(team, f"message.{channel.kind}", event, envelope)

    def _links_shared(self, team: Team, message: Message) -> None:
        """Send the links of a person's message to the app's domains, in any channel."""
        channel, content = message.channel, message.content
        links = links_to(self._unfurl_domains, str(content["text"])) if "bot_id" not in content else []
        if not links:
            return
        event: Json = {
            "type": "link_shared",
            "channel": channel.id,
            "is_bot_user_member": team.bot.id in channel.members,
            "user": content["user"],
            "message_ts": message.ts,
            "unfurl_id": unfurl_id(message),
            "source": "conversations_history",
            "links": links,
            "event_ts": team.next_ts(),
        }
        if "thread_ts" in content:
            event["thread_ts"] = content["thread_ts"]
        self._send(team, "link_shared", event, {"is_ext_shared_channel": channel.is_ext_shared})

    def changed(self, team: Team, message: Message, before: Json) -> None:
        """Send that a message was changed."""
        self._hidden(
            team, message, {"subtype": "message_changed", "message": message.content, "previous_message": before}
        )

    def deleted(self, team: Team, message: Message) -> None:
        """Send that a message was deleted."""
        event = {"subtype": "message_deleted", "deleted_ts": message.ts, "previous_message": message.content}
        self._hidden(team, message, event)

    def send_change(self, team: Team, kind: str, fields: Json) -> None:
        """Send an event about a file, a channel or its members."""
        self._send(team, kind, {"type": kind, **fields, "event_ts": team.next_ts()})

    def home_opened(self, team: Team, user: str, tab: str) -> None:
        """Send that a person opened one of the app's tabs, `home` or `messages`.

        An app with the assistant panel also gets what the person looks at beside it.
        """
        event: Json = {"type": "app_home_opened", "user": user, "channel": team.direct(user).id, "tab": tab}
        if tab == "home" and user in team.homes:
            event["view"] = team.homes[user].content
        if _CONTEXT_CHANGED in self._subscribed:
            event["context"] = viewed(team.viewed.get(user, ""), team.id)
        self._send(team, "app_home_opened", event | {"event_ts": team.next_ts()})

    def context_changed(self, team: Team, user: str) -> None:
        """Send what a person now looks at beside the open assistant panel."""
        event: Json = {"type": _CONTEXT_CHANGED, "user": user, "channel": team.direct(user).id}
        event |= {"context": viewed(team.viewed.get(user, ""), team.id), "event_ts": team.next_ts()}
        self._send(team, _CONTEXT_CHANGED, event)

    def uninstalled(self, team: Team) -> None:
        """Send that the app was removed from a team."""
        self._send(team, "app_uninstalled", {"type": "app_uninstalled", "event_ts": team.next_ts()})

    def tokens_revoked(self, team: Team) -> None:
        """Send that a team's bot token was revoked."""
        tokens = {"oauth": [], "bot": [team.bot.id]}
        self._send(team, "tokens_revoked", {"type": "tokens_revoked", "tokens": tokens, "event_ts": team.next_ts()})

    def send(self, team: Team, name: str, event: Json, **envelope: Any) -> None:
        """Send an event as it is, such as a forwarded message or a mention by a workflow.

        Args:
            name: the event's name in the app's manifest, such as `app_mention` or `message.im`.
            envelope: fields of the payload around the event, such as `is_ext_shared_channel`.
        """
        self._send(team, name, event, envelope)

    async def send_once(self, team: Team, event: Json, seconds: float) -> None:
        """Send an event that Slack does not repeat, and wait for its acknowledgement.

        Args:
            seconds: how long the bot has.

        Raises:
            DeliveryError: the bot did not acknowledge it, or does not subscribe to it.
        """
        if event["type"] not in self._subscribed or not team.installed:
            raise DeliveryError("dispatch_failed")
        await self._delivery.send(EVENTS, self._payload(team, event), seconds)

    async def settle(self) -> None:
        """Wait until every event is acknowledged or given up."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def stop(self) -> None:
        """Cancel all pending events."""
        for task in self._tasks:
            task.cancel()

    def _hidden(self, team: Team, message: Message, event: Json) -> None:
        ts = team.next_ts()
        about = {"type": "message", "hidden": True, "channel": message.channel.id, "ts": ts, "event_ts": ts}
        if team.bot.id in message.channel.members:
            self._send(
                team, f"message.{message.channel.kind}", about | {"channel_type": _channel_type(message)} | event
            )

    def _send(self, team: Team, name: str, event: Json, envelope: Json | None = None) -> None:
        scope = _SCOPES.get(name)
        if name not in self._subscribed or (scope and scope not in team.scopes) or not team.installed:
            return
        task = asyncio.create_task(self._send_until_acknowledged(self._payload(team, event, envelope)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _payload(self, team: Team, event: Json, envelope: Json | None = None) -> Json:
        organisation, org_wide = team.organisation and team.organisation.id, team.installation.org_wide
        authorization = {"enterprise_id": organisation, "team_id": team.id, "user_id": team.bot.id}
        return {
            "token": "deprecated",
            "team_id": team.id,
            "context_team_id": team.id,
            "context_enterprise_id": organisation,
            "api_app_id": self._app_id,
            "event": deepcopy(event),  # as it was when it happened, however late it is taken
            "type": "event_callback",
            "event_id": new_id("Ev"),
            "event_time": int(time.time()),
            "authorizations": [authorization | {"is_bot": True, "is_enterprise_install": org_wide}],
            "is_ext_shared_channel": False,
            **({"enterprise_id": organisation} if organisation else {}),
            **(envelope or {}),
        }

    async def _send_until_acknowledged(self, payload: Json) -> None:
        retry = None
        for number, wait in enumerate((*self._timing.retries, None), start=1):
            try:
                await self._delivery.send(EVENTS, payload, self._timing.acknowledge, retry)
                return
            except DeliveryError as error:
                if wait is None:
                    return  # given up, as Slack does
                retry = Retry(number, "timeout" if str(error) == "operation_timeout" else "error")
                await asyncio.sleep(wait)


def _channel_type(message: Message) -> str:
    return {"im": "im", "mpim": "mpim", "groups": "group", "channels": "channel"}[message.channel.kind]


def _stub(team: Team, file: File, address: str) -> Json:
    """Return a file as Slack names it where the app must ask `files.info` for the rest."""
    created = int(file.created)
    return {
        "id": file.id,
        "created": created,
        "timestamp": created,
        "mode": "file_access",
        "file_access": "check_file_info",
    }
