"""Somebody posts links, or pastes them into the message field. Slack reports those to the domain of the images."""

import logging
from typing import Any

from slack_bolt.context.async_context import AsyncBoltContext
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from findimg.errors import FindimgError
from findimg_bot.errors import SLACK_ERRORS, slack_failure
from findimg_bot.listeners.request_context import services_of, team_of
from findimg_bot.slack.blocks.elements import Block
from findimg_bot.slack.limits import check_message
from findimg_bot.slack.replies import RefusedError
from findimg_bot.slack_objects import SlackObject

_MOST = 5  # links of one message; Slack shows no more previews
_REFUSED_BLOCKS = {"cannot_parse_attachment", "invalid_blocks", "invalid_unfurls_format"}
_log = logging.getLogger(__name__)


async def link_shared(event: SlackObject, context: AsyncBoltContext, client: AsyncWebClient) -> None:
    """Show previews of links to indexed images. Nobody asked, so a failure is only logged."""
    services = services_of(context)
    # A link in the message field is in no channel yet.
    target: dict[str, Any] = {name: event[name] for name in ("unfurl_id", "source") if name in event}
    if len(target) < 2:
        target = {"channel": event["channel"], "ts": event["message_ts"]}
    links = [link["url"] for link in event.get("links") or ()][:_MOST]

    async def unfurl(previews: dict[str, list[Block]]) -> None:
        for blocks in previews.values():
            check_message("preview", blocks)
        try:
            await client.chat_unfurl(
                **target,
                unfurls={link: {"blocks": blocks} for link, blocks in previews.items()},
            )
        except SlackApiError as error:
            if error.response.get("error") in _REFUSED_BLOCKS:
                raise RefusedError(str(error)) from error
            raise

    try:
        with services.metrics.measuring_request("unfurl"):
            await services.queries.show_link_previews(client, team_of(context), links, unfurl)
    except FindimgError as error:
        _log.warning("A link has no preview: %s", error)
    except (*SLACK_ERRORS, RefusedError) as error:
        _log.warning("A link has no preview: %s", slack_failure(error))
