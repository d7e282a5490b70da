"""`Next` below an answer."""

from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.context.async_context import AsyncBoltContext
from slack_bolt.context.respond.async_respond import AsyncRespond
from slack_sdk.web.async_client import AsyncWebClient

from findimg_bot.listeners.common import excuse, find_asked, reply_to_click, team_of
from findimg_bot.service.query_service import PAGE, QueryService


async def next_page(
    ack: AsyncAck,
    action: dict[str, Any],
    body: dict[str, Any],
    context: AsyncBoltContext,
    client: AsyncWebClient,
    respond: AsyncRespond,
) -> None:
    """Puts the next images in the place of these."""
    await ack()
    desk: QueryService = context["desk"]
    reply = reply_to_click(body, client, respond, replace=True)
    async with desk.answering("next", excuse(body, client, respond)):
        asked = await find_asked(context, action["value"])
        await desk.search(client, team_of(context), reply, asked.question, asked.skip + PAGE)
