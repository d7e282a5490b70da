"""`Next` below an answer."""

from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.context.async_context import AsyncBoltContext
from slack_bolt.context.respond.async_respond import AsyncRespond
from slack_sdk.web.async_client import AsyncWebClient

from findimg_bot.listeners.common import error_reply, find_question, reply_to_click, team_of
from findimg_bot.service.query_service import PAGE, QueryService


async def next_page(
    ack: AsyncAck,
    action: dict[str, Any],
    body: dict[str, Any],
    context: AsyncBoltContext,
    client: AsyncWebClient,
    respond: AsyncRespond,
) -> None:
    """Replace the page with the next one."""
    await ack()
    service: QueryService = context["service"]
    reply = reply_to_click(body, client, respond, replace=True)
    async with service.answering("next", error_reply(body, client, respond)):
        stored = await find_question(context, action["value"])
        await service.search(client, team_of(context), reply, stored.question, stored.skip + PAGE)
