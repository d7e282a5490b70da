"""`Find similar` below an image's tags."""

from dataclasses import replace
from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.context.async_context import AsyncBoltContext
from slack_bolt.context.respond.async_respond import AsyncRespond
from slack_sdk.web.async_client import AsyncWebClient

from findimg_bot.answers import parse_question
from findimg_bot.listeners.common import find_question, reply_to_click, team_of
from findimg_bot.service.query_service import QueryService


async def find_similar(
    ack: AsyncAck,
    action: dict[str, Any],
    body: dict[str, Any],
    context: AsyncBoltContext,
    client: AsyncWebClient,
    respond: AsyncRespond,
) -> None:
    """Answer the person who clicked with images like the tagged one."""
    await ack()
    service: QueryService = context["service"]
    reply = reply_to_click(body, client, respond)
    async with service.answering("similar", reply):
        stored = await find_question(context, action["value"])
        question = replace(stored.question, command="/similar", text="", like=parse_question(stored.question).like)
        await service.search(client, team_of(context), reply, question)
