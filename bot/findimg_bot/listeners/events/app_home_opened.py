"""A person opens the app: its Home tab, or its messages."""

import logging
from contextlib import suppress

from slack_bolt.context.async_context import AsyncBoltContext
from slack_sdk.web.async_client import AsyncWebClient

from findimg.errors import FindimgError, StorageError
from findimg_bot.errors import NOT_READY, SLACK_ERRORS, slack_failure
from findimg_bot.listeners.assistant_panel import has_panel, suggest_prompts
from findimg_bot.listeners.request_context import services_of, team_of
from findimg_bot.slack.blocks.elements import Block
from findimg_bot.slack.blocks.home_tab import home_tab
from findimg_bot.slack.blocks.taught_names import taught_home_blocks
from findimg_bot.slack_objects import SlackObject

_log = logging.getLogger(__name__)


async def app_home_opened(event: SlackObject, context: AsyncBoltContext, client: AsyncWebClient) -> None:
    """Show the Home tab, or suggestions in the assistant panel."""
    if event.get("tab") == "home":
        await _publish_home(event["user"], context, client)
    elif has_panel(context):
        await suggest_prompts(event["channel"], event.get("context"), context, client)


async def _publish_home(user: str, context: AsyncBoltContext, client: AsyncWebClient) -> None:
    """Show the number of images, the time of indexing, what the team taught, and how to search."""
    services = services_of(context)
    try:
        manifest = await services.reader.visible_manifest()
        taught: list[Block] = []
        # Without access to the names the rest is still useful.
        with suppress(StorageError):
            taught = taught_home_blocks(await services.teaching.list_names(), team_of(context))
        view = home_tab(manifest, taught=taught)
    except FindimgError:
        view = home_tab(None, NOT_READY)
    try:
        await client.views_publish(user_id=user, view=view)
    except SLACK_ERRORS as error:
        _log.warning("The Home tab could not be shown: %s", slack_failure(error))
