"""A person's actions, for the page and for tests: messages, commands, buttons, shortcuts and modals."""

import re
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from findimg_bot.local_slack.actions.element_values import (
    chosen_values,
    file_problem,
    find_element,
    is_offered,
    listed,
)
from findimg_bot.local_slack.actions.services import ModalError, UserActionError, WorkspaceServices
from findimg_bot.local_slack.delivery.functions import FunctionError
from findimg_bot.local_slack.delivery.http import COMMANDS, INTERACTIVE, DeliveryError
from findimg_bot.local_slack.model.emoji import with_emoji_names
from findimg_bot.local_slack.model.files import FILE_BYTES, describe
from findimg_bot.local_slack.model.messages import entities
from findimg_bot.local_slack.model.state import Channel, File, Json, Message, Team, User, View
from findimg_bot.local_slack.model.views import ViewError

_CHANNEL_NAME = re.compile(r"[a-z0-9_-]{1,80}")
_TROUBLE = "We had some trouble connecting. Try again?"


class MemberActions:
    """The actions of one person in a team."""

    def __init__(self, services: WorkspaceServices, team: Team, user: User):
        self._services = services
        self.team = team
        self.user = user

    async def send(self, channel: str, text: str, thread_ts: str = "", files: Sequence[str] = ()) -> str:
        """Send a message, or run a command and wait for its acknowledgement.

        Args:
            channel: id or name.
            files: ids of files that this person uploaded.

        Returns:
            The message's ts; empty for a command.

        Raises:
            UserActionError: the message cannot be sent, or the bot did not acknowledge the command.
        """
        place = self._writable(channel)
        if text.startswith("/"):
            await self._command(place, text, thread_ts)
            return ""
        if not text.strip() and not files:
            raise UserActionError("There is nothing to send.")
        if thread_ts and self.team.message(place.id, thread_ts) is None:
            raise UserActionError("The message that this answers is gone.")
        shared = [self._own_file(name) for name in files]
        message = self._services.messages.say(self.team, place, self.user, text, thread_ts, shared)
        if f"<@{self.team.bot.id}>" in text and self.team.bot.id not in place.members:
            self._notice(place, f"@{self.team.bot.name} isn't in this channel.")
        return message.ts

    def edit(self, channel: str, ts: str, text: str) -> None:
        """Replace the text of one of this person's messages.

        Raises:
            UserActionError: there is no such message of theirs.
        """
        message = self._message(self._place(channel), ts)
        if message.content.get("user") != self.user.id:
            raise UserActionError("Only your own messages can be edited.")
        self._services.messages.edit(self.team, message, text)

    def forward(self, channel: str, ts: str, to: str, text: str = "") -> str:
        """Forward a message to another channel and return the new message's ts.

        Raises:
            UserActionError: the message or the channel does not exist.
        """
        message = self._message(self._place(channel), ts)
        place = self._writable(to)
        attachment = self._services.messages.forwarded(self.team, message)
        said = self._services.messages.say(self.team, place, self.user, text, attachments=[attachment])
        return said.ts

    def upload(self, name: str, data: bytes) -> File:
        """Upload a file without sharing it.

        Raises:
            UserActionError: the file is empty or too large.
        """
        if not data:
            raise UserActionError(f"{name or 'The file'} is empty.")
        if len(data) > FILE_BYTES:
            raise UserActionError(f"{name} has {len(data):,} bytes. The limit is {FILE_BYTES:,}.")
        return self._services.files.add(self.team, self.user.id, name, data)

    async def act(
        self,
        block_id: str,
        action_id: str,
        channel: str = "",
        ts: str = "",
        view_id: str = "",
        value: Any = None,
        values: Mapping[str, Mapping[str, Json]] | None = None,
    ) -> None:
        """Use a button or another element of a message or a view.

        Args:
            value: what was chosen or typed; a button needs none.
            values: what is in the inputs of the view, as for `submit`.

        Raises:
            UserActionError: the element does not exist, or the bot did not acknowledge.
        """
        if view_id:
            view = self._view(view_id)
            view.content["state"] = {"values": self._values(view, values or {})[0]}
            about: Json = {"view": view.content, "container": {"type": "view", "view_id": view.id}}
            blocks = view.content["blocks"]
        else:
            place = self._place(channel)
            message = self._message(place, ts)
            blocks = message.content.get("blocks", ())
            container = {
                "type": "message",
                "message_ts": message.ts,
                "channel_id": place.id,
                "is_ephemeral": message.only_for is not None,
            }
            for attachment in message.content.get("attachments", ()):
                if any(block["block_id"] == block_id for block in attachment.get("blocks", ())):
                    blocks = attachment["blocks"]
                    shown = {name: attachment[name] for name in ("is_app_unfurl", "app_unfurl_url")}
                    container |= {"type": "message_attachment", "attachment_id": attachment["id"], **shown}
            if "thread_ts" in message.content:
                container["thread_ts"] = message.content["thread_ts"]
            url = self._services.response_urls.new("actions", self.team, place, self.user.id, message)
            about = {"container": container, "channel": _channel(place), "response_url": url}
            if message.only_for is None:  # Slack keeps no copy of what only one person sees
                about["message"] = self._services.messages.described(self.team, message)
        element = find_element(blocks, block_id, action_id)
        action = {"block_id": block_id, "action_id": action_id, "type": element["type"], "action_ts": self._now()}
        action |= {name: element[name] for name in ("text", "value", "style", "url") if name in element}
        if element["type"] != "button":
            action |= chosen_values(element, value)
        await self._interact({"type": "block_actions", "actions": [action], **about})

    async def shortcut(self, callback_id: str, channel: str, ts: str) -> None:
        """Use a message shortcut.

        Raises:
            UserActionError: there is no such shortcut or message, or the bot did not acknowledge.
        """
        place = self._place(channel)
        message = self._message(place, ts)
        if message.only_for or not self._has_shortcut("message", callback_id):
            raise UserActionError(f"There is no shortcut {callback_id!r} on that message.")
        await self._interact(
            {
                "type": "message_action",
                "callback_id": callback_id,
                "channel": _channel(place),
                "message_ts": message.ts,
                "message": self._services.messages.described(self.team, message),
                "response_url": self._services.response_urls.new("app", self.team, place, self.user.id),
            }
        )

    async def global_shortcut(self, callback_id: str) -> None:
        """Use a global shortcut, which belongs to no channel.

        Raises:
            UserActionError: there is no such shortcut, or the bot did not acknowledge.
        """
        if not self._has_shortcut("global", callback_id):
            raise UserActionError(f"There is no shortcut {callback_id!r}.")
        await self._interact({"type": "shortcut", "callback_id": callback_id})

    async def run_step(self, callback_id: str, inputs: Mapping[str, Any]) -> Json:
        """Run a workflow with one step of the app, and return the step's outputs.

        Raises:
            UserActionError: there is no such step, or it failed.
        """
        if callback_id not in self._services.functions.definitions:
            raise UserActionError(f"There is no step {callback_id!r}.")
        try:
            return await self._services.functions.run(self.team, callback_id, inputs, self.user)
        except FunctionError as error:
            raise UserActionError(str(error)) from error

    async def search(self, query: str) -> list[Json]:
        """Search, and return the results of the app.

        Raises:
            UserActionError: the app gives no results to searches, or it failed.
        """
        search = self._services.manifest.get("features", {}).get("search")
        if not search:
            raise UserActionError("The app gives no results to searches.")
        inputs = {"query": query, "filters": {}}
        try:
            outputs = await self._services.functions.search(
                self.team, search["search_function_callback_id"], inputs, self.user
            )
        except FunctionError as error:
            raise UserActionError(str(error)) from error
        return list(outputs["search_results"])

    async def submit(self, view_id: str, values: Mapping[str, Mapping[str, Json]]) -> None:
        """Submit a modal.

        Args:
            values: block id → action id → the value, as in a view's `state.values`; files by their ids.

        Raises:
            ModalError: an input is refused, here or by the bot.
            UserActionError: there is no such modal, or the bot did not acknowledge.
        """
        view = self._view(view_id)
        if view.content["type"] != "modal":
            raise UserActionError("Only a modal can be submitted.")
        view.content["state"] = {"values": self._filled(view, values)}
        payload = {"type": "view_submission", "view": view.content, "response_urls": self._response_urls(view)}
        answer = await self._interact(payload, _TROUBLE)
        try:
            match answer.get("response_action"):
                case None:
                    self._services.views.close(self.team, view)
                case "clear":
                    self._services.views.close(self.team, view, everything=True)
                case "update":
                    self._services.views.update(self.team, view.id, answer.get("view"))
                case "push":
                    self._services.views.push_on(self.team, self.user.id, answer.get("view"))
                case "errors" if isinstance(answer.get("errors"), dict) and answer["errors"]:
                    raise ModalError(answer["errors"])
                case _:
                    raise UserActionError(_TROUBLE)
        except ViewError as error:
            raise UserActionError(_TROUBLE) from error

    async def close(self, view_id: str) -> None:
        """Close a modal, and notify the bot if the modal requests it.

        Raises:
            UserActionError: there is no such modal.
        """
        view = self._view(view_id)
        everything = bool(view.content["clear_on_close"])
        self._services.views.close(self.team, view, everything)
        if view.content["notify_on_close"]:
            closed = {"type": "view_closed", "view": view.content, "is_cleared": everything}
            # The modal is closed for the person even if the bot does not acknowledge.
            with suppress(UserActionError):
                await self._interact(closed)

    def open_home(self, tab: str = "home", beside: str = "") -> None:
        """Open one of the app's tabs, `home` or `messages`.

        Args:
            beside: id of the channel beside which the messages are shown in the assistant panel.
        """
        self.team.viewed[self.user.id] = self._place(beside).id if beside else ""
        self._services.events.home_opened(self.team, self.user.id, tab)

    def look_at(self, channel: str) -> None:
        """Look at another channel beside the open assistant panel.

        Raises:
            UserActionError: there is no such channel.
        """
        self.team.viewed[self.user.id] = self._place(channel).id
        self._services.events.context_changed(self.team, self.user.id)

    def close_panel(self) -> None:
        """Close the assistant panel."""
        self.team.viewed.pop(self.user.id, None)

    def new_channel(self, name: str) -> Channel:
        """Create a channel of all people and the bot.

        Raises:
            UserActionError: the name is not valid or already used.
        """
        if not _CHANNEL_NAME.fullmatch(name) or self.team.channel(name):
            raise UserActionError(
                f"A channel cannot be called {name!r}. Use letters, digits and dashes that are not taken."
            )
        channel = self.team.add_channel(name)
        self._services.page_updates.channel(self.team, channel)
        return channel

    def state(self) -> Json:
        """Return all that this person can see, as the page needs it."""
        return self._services.page_updates.state(self.team, self.user)

    async def _command(self, place: Channel, text: str, thread: str) -> None:
        name, _, rest = text.partition(" ")
        commands = self._services.manifest.get("features", {}).get("slash_commands", ())
        command = next((each for each in commands if each["command"] == name), None)
        if not self.team.installed or command is None:
            raise UserActionError(f"{name} is not a valid command.")
        if thread:
            raise UserActionError(f"{name} is not supported in threads. Sorry!")
        payload = {
            "token": "deprecated",
            "team_id": self.team.id,
            "team_domain": self.team.name,
            "channel_id": place.id,
            "channel_name": _channel(place)["name"],
            "user_id": self.user.id,
            "user_name": self.user.name,
            "command": name,
            "text": self._command_text(command, rest.strip()),
            "api_app_id": self._services.app_id,
            "is_enterprise_install": str(self.team.installation.org_wide).lower(),
            "response_url": self._services.response_urls.new("commands", self.team, place, self.user.id),
            "trigger_id": self._services.views.new_trigger(self.team, self.user.id),
        }
        if organisation := self.team.organisation:
            payload |= {"enterprise_id": organisation.id, "enterprise_name": organisation.name}
        try:
            answer = await self._services.delivery.send(COMMANDS, payload, self._services.timing.acknowledge)
        except DeliveryError as error:
            said = f'{name} failed with the error "{error}"'
            self._notice(place, said)
            raise UserActionError(said) from error
        if answer and (wrong := self._services.response_urls.acknowledged(self.team, place, self.user.id, answer)):
            said = f'{name} failed with the error "{wrong}"'
            self._notice(place, said)
            raise UserActionError(said)

    def _command_text(self, command: Json, text: str) -> str:
        """Return a command's text as Slack sends it: names of people and channels become ids with `should_escape`."""
        text = entities(with_emoji_names(text))
        if not command.get("should_escape"):
            return text
        people = {f"@{user.name}": f"<@{user.id}|{user.name}>" for user in self.team.users.values()}
        channels = {
            f"#{each.name}": f"<#{each.id}|{each.name}>" for each in self.team.channels.values() if not each.is_im
        }
        ids = people | channels
        return re.sub(r"(?<!\S)[@#][\w-]+", lambda name: ids.get(name[0], name[0]), text)

    async def _interact(self, payload: Json, trouble: str = "") -> Json:
        home, organisation = self.user.home_team or self.team.id, self.team.organisation
        common = {
            "token": "deprecated",
            "team": {"id": self.team.id, "domain": self.team.name},
            "user": {"id": self.user.id, "username": self.user.name, "name": self.user.name, "team_id": home},
            "api_app_id": self._services.app_id,
            "enterprise": organisation and {"id": organisation.id, "name": organisation.name},
            "is_enterprise_install": self.team.installation.org_wide,
            "action_ts": self._now(),
        }
        if payload["type"] != "view_closed":
            common["trigger_id"] = self._services.views.new_trigger(self.team, self.user.id)
        if not self.team.installed:
            raise UserActionError(f"{self.team.bot.name} is no longer in this team.")
        try:
            return await self._services.delivery.send(INTERACTIVE, common | payload, self._services.timing.acknowledge)
        except DeliveryError as error:
            raise UserActionError(trouble or f'{self.team.bot.name} failed with the error "{error}"') from error

    def _has_shortcut(self, kind: str, callback_id: str) -> bool:
        known = self._services.manifest.get("features", {}).get("shortcuts", ())
        return any((each["type"], each["callback_id"]) == (kind, callback_id) for each in known)

    def _response_urls(self, view: View) -> list[Json]:
        """Return a response_url for each conversation that was chosen where the modal asks for response_urls."""
        found = []
        for block in view.content["blocks"]:
            element = block.get("element", {})
            if block["type"] == "input" and element.get("response_url_enabled"):
                chosen = view.content["state"]["values"][block["block_id"]][element["action_id"]]
                place = self._place(str(chosen.get("selected_conversation") or chosen.get("selected_channel")))
                url = self._services.response_urls.new("app", self.team, place, self.user.id)
                ids = {"block_id": block["block_id"], "action_id": element["action_id"], "channel_id": place.id}
                found.append(ids | {"response_url": url})
        return found

    def _filled(self, view: View, given: Mapping[str, Mapping[str, Json]]) -> Json:
        """Return the values of a modal's inputs. Missing values and unsuitable files raise `ModalError`."""
        values, errors = self._values(view, given)
        if errors:
            raise ModalError(errors)
        return values

    def _values(self, view: View, given: Mapping[str, Mapping[str, Json]]) -> tuple[Json, dict[str, str]]:
        """Return the values of a modal's inputs, and the problems by block id."""
        values: Json = {}
        errors: dict[str, str] = {}
        for block in view.content["blocks"]:
            if block["type"] != "input":
                continue
            name, element = block["block_id"], block["element"]
            value = dict(given.get(name, {}).get(element["action_id"], {}))
            value["type"] = element["type"]
            if element["type"] == "file_input":
                files = [self._own_file(file) for file in listed(value.get("files"))]
                value["files"] = [describe(self.team, file, self._services.address) for file in files]
                if wrong := file_problem(element, files):
                    errors[name] = wrong
                for file in files:
                    file.seen_by_bot = True
            place = value.get("selected_conversation")
            if place and not is_offered(element, self._place(str(place))):
                errors[name] = "Choose another conversation."
            if not block.get("optional") and not any(content for key, content in value.items() if key != "type"):
                errors[name] = "Please complete this required field."
            values[name] = {element["action_id"]: value}
        return values, errors

    def _place(self, name: str) -> Channel:
        channel = self.team.channel(name)
        if channel is None or self.user.id not in channel.members:
            raise UserActionError(f"There is no channel {name!r} that you are in.")
        return channel

    def _writable(self, name: str) -> Channel:
        place = self._place(name)
        if place.is_archived:
            raise UserActionError("This channel is archived.")
        return place

    def _message(self, channel: Channel, ts: str) -> Message:
        message = self.team.message(channel.id, ts)
        if message is None or message.only_for not in (None, self.user.id):
            raise UserActionError("That message is gone.")
        return message

    def _view(self, name: str) -> View:
        view = self.team.view(name)
        if view is None or view.user != self.user.id:
            raise UserActionError("That window is closed.")
        return view

    def _own_file(self, name: str) -> File:
        file = self.team.files.get(str(name))
        if file is None or file.user != self.user.id or file.deleted:
            raise UserActionError(f"There is no file {name!r} of yours.")
        return file

    def _notice(self, channel: Channel, text: str) -> None:
        self._services.page_updates.notice(self.user.id, channel.id, text)

    @staticmethod
    def _now() -> str:
        return f"{time.time():.6f}"


def _channel(channel: Channel) -> Json:
    """Return a channel as payloads describe it."""
    name = "directmessage" if channel.is_im else "privategroup" if channel.is_private else channel.name
    name = channel.name if channel.is_mpim else name
    return {"id": channel.id, "name": name}
