"""What a person does with the app's elements: buttons, menus, shortcuts and modals."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from findimg_bot.local_slack.actions.element_values import (
    chosen_values,
    file_problem,
    find_element,
    is_offered,
    listed,
)
from findimg_bot.local_slack.actions.member import Member, described_channel, now
from findimg_bot.local_slack.actions.services import ModalError, UserActionError
from findimg_bot.local_slack.model.files import describe
from findimg_bot.local_slack.model.state import Json, View
from findimg_bot.local_slack.model.views import ViewError

_TROUBLE = "We had some trouble connecting. Try again?"


@dataclass(frozen=True, slots=True)
class ElementPlace:
    """Where an element is: its ids, and the message or the view that shows it."""

    block_id: str
    action_id: str
    channel: str = ""
    ts: str = ""
    view_id: str = ""


class Interactions(Member):
    """The actions of one person on elements of messages and modals."""

    async def act(
        self, place: ElementPlace, value: object = None, values: Mapping[str, Mapping[str, Json]] | None = None
    ) -> None:
        """Use a button or another element of a message or a view.

        Args:
            value: what was chosen or typed; a button needs none.
            values: what is in the inputs of the view, as for `submit`.

        Raises:
            UserActionError: the element does not exist, or the bot did not acknowledge.
        """
        if place.view_id:
            view = self.find_view(place.view_id)
            view.content["state"] = {"values": self._values(view, values or {})[0]}
            about: Json = {"view": view.content, "container": {"type": "view", "view_id": view.id}}
            blocks = view.content["blocks"]
        else:
            shown_in = self.find_channel(place.channel)
            message = self.find_message(shown_in, place.ts)
            blocks = message.content.get("blocks", ())
            container = {
                "type": "message",
                "message_ts": message.ts,
                "channel_id": shown_in.id,
                "is_ephemeral": message.only_for is not None,
            }
            for attachment in message.content.get("attachments", ()):
                if any(block["block_id"] == place.block_id for block in attachment.get("blocks", ())):
                    blocks = attachment["blocks"]
                    shown = {name: attachment[name] for name in ("is_app_unfurl", "app_unfurl_url")}
                    container |= {"type": "message_attachment", "attachment_id": attachment["id"], **shown}
            if "thread_ts" in message.content:
                container["thread_ts"] = message.content["thread_ts"]
            url = self.services.response_urls.new("actions", self.team, shown_in, self.user.id, message)
            about = {"container": container, "channel": described_channel(shown_in), "response_url": url}
            if message.only_for is None:  # Slack keeps no copy of what only one person sees
                about["message"] = self.services.messages.described(self.team, message)
        element = find_element(blocks, place.block_id, place.action_id)
        action = {"block_id": place.block_id, "action_id": place.action_id, "type": element["type"], "action_ts": now()}
        action |= {name: element[name] for name in ("text", "value", "style", "url") if name in element}
        if element["type"] != "button":
            action |= chosen_values(element, value)
        await self.send_interaction({"type": "block_actions", "actions": [action], **about})

    async def shortcut(self, callback_id: str, channel: str, ts: str) -> None:
        """Use a message shortcut.

        Raises:
            UserActionError: there is no such shortcut or message, or the bot did not acknowledge.
        """
        place = self.find_channel(channel)
        message = self.find_message(place, ts)
        if message.only_for or not self._has_shortcut("message", callback_id):
            raise UserActionError(f"There is no shortcut {callback_id!r} on that message.")
        await self.send_interaction(
            {
                "type": "message_action",
                "callback_id": callback_id,
                "channel": described_channel(place),
                "message_ts": message.ts,
                "message": self.services.messages.described(self.team, message),
                "response_url": self.services.response_urls.new("app", self.team, place, self.user.id),
            }
        )

    async def global_shortcut(self, callback_id: str) -> None:
        """Use a global shortcut, which belongs to no channel.

        Raises:
            UserActionError: there is no such shortcut, or the bot did not acknowledge.
        """
        if not self._has_shortcut("global", callback_id):
            raise UserActionError(f"There is no shortcut {callback_id!r}.")
        await self.send_interaction({"type": "shortcut", "callback_id": callback_id})

    async def submit(self, view_id: str, values: Mapping[str, Mapping[str, Json]]) -> None:
        """Submit a modal.

        Args:
            values: block id → action id → the value, as in a view's `state.values`; files by their ids.

        Raises:
            ModalError: an input is refused, here or by the bot.
            UserActionError: there is no such modal, or the bot did not acknowledge.
        """
        view = self.find_view(view_id)
        if view.content["type"] != "modal":
            raise UserActionError("Only a modal can be submitted.")
        view.content["state"] = {"values": self._filled(view, values)}
        payload = {"type": "view_submission", "view": view.content, "response_urls": self._response_urls(view)}
        answer = await self.send_interaction(payload, _TROUBLE)
        try:
            match answer.get("response_action"):
                case None:
                    self.services.views.close(self.team, view)
                case "clear":
                    self.services.views.close(self.team, view, everything=True)
                case "update":
                    self.services.views.update(self.team, view.id, answer.get("view"))
                case "push":
                    self.services.views.push_on(self.team, self.user.id, answer.get("view"))
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
        view = self.find_view(view_id)
        everything = bool(view.content["clear_on_close"])
        self.services.views.close(self.team, view, everything)
        if view.content["notify_on_close"]:
            closed = {"type": "view_closed", "view": view.content, "is_cleared": everything}
            # The modal is closed for the person even if the bot does not acknowledge.
            with suppress(UserActionError):
                await self.send_interaction(closed)

    def _has_shortcut(self, kind: str, callback_id: str) -> bool:
        known = self.services.manifest.get("features", {}).get("shortcuts", ())
        return any((each["type"], each["callback_id"]) == (kind, callback_id) for each in known)

    def _response_urls(self, view: View) -> list[Json]:
        """Return a response_url for each conversation that was chosen where the modal asks for response_urls."""
        found = []
        for block in view.content["blocks"]:
            element = block.get("element", {})
            if block["type"] == "input" and element.get("response_url_enabled"):
                chosen = view.content["state"]["values"][block["block_id"]][element["action_id"]]
                place = self.find_channel(str(chosen.get("selected_conversation") or chosen.get("selected_channel")))
                url = self.services.response_urls.new("app", self.team, place, self.user.id)
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
                files = [self.find_own_file(file) for file in listed(value.get("files"))]
                value["files"] = [describe(self.team, file, self.services.address) for file in files]
                if wrong := file_problem(element, files):
                    errors[name] = wrong
                for file in files:
                    file.seen_by_bot = True
            place = value.get("selected_conversation")
            if place and not is_offered(element, self.find_channel(str(place))):
                errors[name] = "Choose another conversation."
            if not block.get("optional") and not any(content for key, content in value.items() if key != "type"):
                errors[name] = "Please complete this required field."
            values[name] = {element["action_id"]: value}
        return values, errors
