"""`Find similar` below an image's tags."""

from dataclasses import replace
from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.context.async_context import AsyncBoltContext
from slack_bolt.context.respond.async_respond import AsyncRespond
from slack_sdk.web.async_client import AsyncWebClient

from findimg_bot.listeners.common import find_asked, reply_to_click, team_of
from findimg_bot.service.answers import parsed
from findimg_bot.service.query_service import QueryService


async def find_similar(
    ack: AsyncAck,
    action: dict[str, Any],
    body: dict[str, Any],
    context: AsyncBoltContext,
    client: AsyncWebClient,
    respond: AsyncRespond,
) -> None:
    """Answers to whoever clicked with images like the tagged one."""
    await ack()
    desk: QueryService = context["desk"]
    reply = reply_to_click(body, client, respond)
    async with desk.answering("similar", reply):
        asked = await find_asked(context, action["value"])
        question = replace(asked.question, command="/similar", text="", like=parsed(asked.question).like)
        await desk.search(client, team_of(context), reply, question)
