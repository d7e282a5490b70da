"""Events.

A new event also needs:

- its name under `bot_events` in `slack/manifest.json`, or in `slack/surfaces.json` if only one surface needs it
- the scope that Slack's reference names, in the same file
- its name in `PICTURE_EVENTS` of `admission_rules.py`, if it is about pictures in channels. Such an event is accepted
  from every person, needs no answer, and is not recorded for recovery.
- a check of `is_chat_in_channel` in `admission_rules.py`, which drops messages in channels
- a check of `slack/person.py`, which reads the team of the person from the event
- a method of `local_slack/delivery/events.py` that sends it, and its scope in `_SCOPES` there, for `findimg-bot try`
  and the tests

`tests/bot/slack/test_manifest.py` compares the events with both files, and their scopes with those in `EVENTS`.
"""

from slack_bolt.async_app import AsyncApp

from findimg_bot.listeners.events.app_context_changed import app_context_changed
from findimg_bot.listeners.events.app_home_opened import app_home_opened
from findimg_bot.listeners.events.app_mention import app_mention
from findimg_bot.listeners.events.app_uninstalled import app_uninstalled
from findimg_bot.listeners.events.channel_pictures import (
    channel_closed,
    channel_opened,
    file_deleted,
    file_shared,
    member_joined,
    member_left,
)
from findimg_bot.listeners.events.link_shared import link_shared
from findimg_bot.listeners.events.message import message
from findimg_bot.listeners.events.tokens_revoked import tokens_revoked


def register(app: AsyncApp) -> None:
    """Register the events with the app."""
    app.event("app_context_changed")(app_context_changed)
    app.event("app_home_opened")(app_home_opened)
    app.event("app_mention")(app_mention)
    app.event("app_uninstalled")(app_uninstalled)
    app.event("file_deleted")(file_deleted)
    app.event("file_shared")(file_shared)
    app.event("link_shared")(link_shared)
    app.event("member_joined_channel")(member_joined)
    app.event("member_left_channel")(member_left)
    app.event("message")(message)
    app.event("tokens_revoked")(tokens_revoked)
    for kind in ("channel", "group"):
        app.event(f"{kind}_archive")(channel_closed)
        app.event(f"{kind}_deleted")(channel_closed)
        app.event(f"{kind}_left")(channel_closed)
        app.event(f"{kind}_unarchive")(channel_opened)
