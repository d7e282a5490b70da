"""`More like this` below an image."""

from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.context.async_context import AsyncBoltContext
from slack_bolt.context.respond.async_respond import AsyncRespond
from slack_sdk.web.async_client import AsyncWebClient

from findimg_bot.listeners.common import find_image, reply_to_click, team_of
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
    """Answers to whoever clicked with images like this one."""
    await ack()
    desk: QueryService = context["desk"]
    reply = reply_to_click(body, client, respond)
    async with desk.answering("similar", reply):
        question = Question("/similar", "", like=await find_image(context, action["value"]))
        await desk.search(client, team_of(context), reply, question)
