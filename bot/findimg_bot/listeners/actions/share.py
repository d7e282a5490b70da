"""`Share to channel` below an answer."""

from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.context.async_context import AsyncBoltContext
from slack_bolt.context.respond.async_respond import AsyncRespond
from slack_sdk.web.async_client import AsyncWebClient

from findimg_bot.listeners.common import excuse, find_asked, team_of
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
    """Shows everybody in the channel what one person found."""
    await ack()
    desk: QueryService = context["desk"]
    channel, user = body["channel"]["id"], body["user"]["id"]
    async with desk.answering("share", excuse(body, client, respond)):
        asked = await find_asked(context, action["value"])
        reply = ChannelReply(respond, client, channel, user)
        await desk.search(client, team_of(context), reply, asked.question, asked.skip, shared_by=user)
