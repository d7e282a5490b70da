"""Shared by the listeners of the assistant panel, in which a person talks to the bot beside a channel.

The panel is Slack's agent messaging experience: `features.agent_view` in the manifest. Its messages are direct
messages that name what the person looks at. Each of them starts a thread.
"""

import logging
from collections.abc import Mapping

from slack_bolt.context.async_context import AsyncBoltContext
from slack_sdk.web.async_client import AsyncWebClient

from findimg.errors import FindimgError
from findimg_bot.errors import SLACK_ERRORS, slack_failure
from findimg_bot.listeners.request_context import services_of
from findimg_bot.slack.blocks.guidance import suggested_prompts
from findimg_bot.slack.limits import PROMPTS
from findimg_bot.slack_objects import SlackObject

PANEL_SCOPE = "assistant:write"
_CHANNEL_ENTITY = "slack#/types/channel_id"
_log = logging.getLogger(__name__)


def has_panel(context: AsyncBoltContext) -> bool:
    """Return whether the app has the assistant panel in this workspace."""
    result = context.authorize_result
    return result is not None and PANEL_SCOPE in (result.bot_scopes or ())


def viewed_channel(viewed: SlackObject | None) -> str:
    """Return the id of the channel that a person looks at beside the assistant panel, empty when there is none.

    Args:
        viewed: the `context` or `app_context` of an event, whose entities are ordered by relevance.
    """
    for entity in (viewed or {}).get("entities") or ():
        if isinstance(entity, Mapping) and entity.get("type") == _CHANNEL_ENTITY:
            return str(entity.get("value") or "")
    return ""


async def suggest_prompts(
    channel: str, viewed: SlackObject | None, context: AsyncBoltContext, client: AsyncWebClient
) -> None:
    """Show in the panel what a person can ask.

    Args:
        channel: id of the direct message that the panel shows.
        viewed: what the person looks at, as for `viewed_channel`.
    """
    services = services_of(context)
    try:
        words = await services.reader.example_words(PROMPTS - 1)
    except FindimgError:
        words = []  # the first question will name the reason
    try:
        # Slack ignores the call when it names a thread.
        await client.assistant_threads_setSuggestedPrompts(
            channel_id=channel, prompts=suggested_prompts(words, bool(viewed_channel(viewed)))
        )
    except SLACK_ERRORS as error:
        _log.warning("The assistant panel shows no suggestions: %s", slack_failure(error))
