"""Decides who may ask the bot, and where: by workspace, person and channel."""

import logging

from slack_bolt.context.async_context import AsyncBoltContext

from findimg.settings import Settings
from findimg_bot.listeners.assistant_panel import viewed_channel
from findimg_bot.slack.blocks.modals.find_picture import SEARCH, SHARE
from findimg_bot.slack.blocks.modals.teach_name import channel_of_teach_modal
from findimg_bot.slack.installation.workspaces import may_install
from findimg_bot.slack.person import read_person
from findimg_bot.slack_objects import SlackObject

_NOT_ALLOWED = "findimg is not allowed to answer here. Ask the operator of findimg to allow it."
_OTHER_TEAM = (
    "findimg answers only people of the workspace that installed it. Ask one of them to search for you, or ask the "
    "operator of findimg to allow your workspace."
)
_TEAM_NOT_ALLOWED = (
    "findimg is not allowed to answer in this workspace. Its operator can allow it: FINDIMG_ALLOW_TEAMS needs {team}."
)
# Events about pictures in channels. They need no answer and are accepted from every person. `Admission` does not record
# them for recovery.
PICTURE_EVENTS = {
    "file_deleted",
    "file_shared",
    "member_joined_channel",
    "member_left_channel",
    *(f"{kind}_{change}" for kind in ("channel", "group") for change in ("archive", "deleted", "left", "unarchive")),
}
_log = logging.getLogger(__name__)


class AdmissionRules:
    """The rules that follow from the settings."""

    def __init__(self, settings: Settings):
        self._settings = settings
        self._warned: set[str] = set()  # teams whose refusal was logged

    def refusal(self, body: SlackObject, context: AsyncBoltContext) -> str:
        """Return why a request is refused, empty when it is not."""
        if body.get("event", {}).get("type") in ("app_uninstalled", "tokens_revoked"):
            return ""  # must be handled for every workspace
        if reason := self._workspace_refusal(context):
            return reason
        if is_about_pictures(body):
            return ""
        if not self._is_from_allowed_team(body, context):
            return _OTHER_TEAM
        if context.function_execution_id:
            return "" if self._is_allowed_function(body) else _NOT_ALLOWED
        if context.user_id is None:
            return ""
        users = self._settings.allowed_users
        if not self._is_in_allowed_channel(body, context) or (users and context.user_id not in users):
            return _NOT_ALLOWED
        return ""

    def hide_other_channel(self, body: SlackObject) -> None:
        """Remove from an event of the assistant panel what the person looks at, if the bot may not answer there."""
        event = body.get("event") or {}
        channels = self._settings.allowed_channels
        for name in ("context", "app_context"):
            if channels and viewed_channel(event.get(name)) not in channels:
                event.pop(name, None)

    def _workspace_refusal(self, context: AsyncBoltContext) -> str:
        """Return why the workspace that installed the app is refused, empty when it is not."""
        result = context.authorize_result
        installed = {result.team_id, result.enterprise_id} - {None} if result else set()
        if not self._settings.slack_client_id or any(may_install(self._settings, each) for each in installed):
            return ""
        team = str(result and (result.team_id or result.enterprise_id))
        if team not in self._warned:
            self._warned.add(team)
            _log.warning("The workspace %s is refused. To allow it, add its id to FINDIMG_ALLOW_TEAMS.", team)
        return _TEAM_NOT_ALLOWED.format(team=team)

    def _is_from_allowed_team(self, body: SlackObject, context: AsyncBoltContext) -> bool:
        """Return whether the person is of the workspace that installed the app, or of another allowed one."""
        person = read_person(body, context)
        if not person.is_member and not (person.team and may_install(self._settings, person.team)):
            return False
        # Nobody asked for a preview, so people of other organisations are not shown one.
        return not (body.get("is_ext_shared_channel") and body.get("event", {}).get("type") == "link_shared")

    def _is_allowed_function(self, body: SlackObject) -> bool:
        """Return whether a function may run, by the person for whom it runs. A function has no channel."""
        person = body["event"].get("inputs", {}).get("user_context") or {}
        users = self._settings.allowed_users
        return not self._settings.allowed_channels and (not users or person.get("id") in users)

    def _is_in_allowed_channel(self, body: SlackObject, context: AsyncBoltContext) -> bool:
        channels = self._settings.allowed_channels
        if not channels:
            return True
        # Otherwise a search outside of channels would answer people who are in none of the allowed channels.
        if _is_search_outside_channels(body):
            return False
        # The Home tab and a modal are in no channel, although the event of the Home tab names the direct message.
        channel = None if body.get("event", {}).get("type") == "app_home_opened" else context.channel_id
        return {channel, channel_of_teach_modal(body.get("view") or {})} - {None} <= channels


def is_chat_in_channel(body: SlackObject) -> bool:
    """Return whether an event is a message in a channel that is not for the bot.

    The bot subscribes to all messages of its channels to learn of deleted ones. A mention comes as another event.
    """
    event = body.get("event") or {}
    return (
        event.get("type") == "message"
        and event.get("channel_type") in ("channel", "group")
        and event.get("subtype") != "message_deleted"
    )


def is_about_pictures(body: SlackObject) -> bool:
    """Return whether a request is an event about pictures in channels, which needs no answer."""
    event = body.get("event") or {}
    return event.get("type") in PICTURE_EVENTS or event.get("subtype") == "message_deleted"


def _is_search_outside_channels(body: SlackObject) -> bool:
    return body.get("type") == "shortcut" or (body.get("view") or {}).get("callback_id") in (SEARCH, SHARE)
