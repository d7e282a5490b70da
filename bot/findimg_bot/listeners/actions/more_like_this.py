"""`More like this` below an image."""

from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.context.async_context import AsyncBoltContext
from slack_bolt.context.respond.async_respond import AsyncRespond
from slack_sdk.web.async_client import AsyncWebClient

from findimg_bot.listeners.common import find_hit_uri, reply_to_click, team_of
from findimg_bot.service.answers import Question
from findimg_bot.service.query_service import QueryService


async def more_like_this(
    ack: AsyncAck,
    action: dict[str, Any],
    body: dict[str, Any],
    context: AsyncBoltContext,
    client: AsyncWebClient,
    respond: AsyncRespond,
) -> None:
    """Answer the person who clicked with images like this one."""
    await ack()
    service: QueryService = context["service"]
    reply = reply_to_click(body, client, respond)
    async with service.answering("similar", reply):
        question = Question("/similar", "", like=await find_hit_uri(context, action["value"]))
        await service.search(client, team_of(context), reply, question)
