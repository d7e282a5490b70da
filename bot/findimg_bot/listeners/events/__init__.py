"""Events."""

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
