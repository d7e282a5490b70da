"""`Find similar` below an image's tags."""

from dataclasses import replace
from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.context.async_context import AsyncBoltContext
from slack_bolt.context.respond.async_respond import AsyncRespond
from slack_sdk.web.async_client import AsyncWebClient

from findimg_bot.listeners.clicks import find_question, reply_to_click
from findimg_bot.listeners.request_context import services_of, team_of
from findimg_bot.questions import parse_question


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
    services = services_of(context)
    reply = reply_to_click(body, client, respond)
    async with services.handling_request("similar", reply):
        stored = await find_question(context, action["value"])
        question = replace(stored.question, command="/similar", text="", like=parse_question(stored.question).like)
        await services.queries.search(client, team_of(context), reply, question)
