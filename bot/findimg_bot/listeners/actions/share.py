"""`Share to channel` below an answer."""

from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.context.async_context import AsyncBoltContext
from slack_bolt.context.respond.async_respond import AsyncRespond
from slack_sdk.web.async_client import AsyncWebClient

from findimg_bot.listeners.common import error_reply, find_question, team_of
from findimg_bot.service.query_service import QueryService
from findimg_bot.slack.replies import ChannelReply


async def share(
    ack: AsyncAck,
    action: dict[str, Any],
    body: dict[str, Any],
    context: AsyncBoltContext,
    client: AsyncWebClient,
    respond: AsyncRespond,
) -> None:
    """Post one person's answer to the whole channel."""
    await ack()
    service: QueryService = context["service"]
    channel, user = body["channel"]["id"], body["user"]["id"]
    async with service.answering("share", error_reply(body, client, respond)):
        stored = await find_question(context, action["value"])
        reply = ChannelReply(respond, client, channel, user)
        await service.search(client, team_of(context), reply, stored.question, stored.skip, shared_by=user)
