"""`Open…` below an image: a link that is valid for some minutes."""

import asyncio
from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.context.async_context import AsyncBoltContext
from slack_bolt.context.respond.async_respond import AsyncRespond
from slack_sdk.web.async_client import AsyncWebClient

from findimg_bot.listeners.common import find_hit_uri, reply_to_click
from findimg_bot.service.links import SECONDS
from findimg_bot.service.query_service import QueryService
from findimg_bot.slack.blocks.results import link_message


async def open_image(
    ack: AsyncAck,
    action: dict[str, Any],
    body: dict[str, Any],
    context: AsyncBoltContext,
    client: AsyncWebClient,
    respond: AsyncRespond,
) -> None:
    """Answer the person who clicked with a link to the original image."""
    await ack()
    service: QueryService = context["service"]
    reply = reply_to_click(body, client, respond)
    async with service.answering("open", reply):
        uri = await find_hit_uri(context, action["value"])
        link = await asyncio.to_thread(service.links.make, uri)
        await reply.send(link_message(uri, link, SECONDS // 60))
