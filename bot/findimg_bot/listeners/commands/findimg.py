"""`/findimg cat sofa`: find images by what they show."""

from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.context.async_context import AsyncBoltContext
from slack_bolt.context.respond.async_respond import AsyncRespond
from slack_sdk.web.async_client import AsyncWebClient

from findimg_bot.listeners.commands.acknowledge import acknowledge
from findimg_bot.listeners.commands.channel_switch import SWITCHES, switch_channel
from findimg_bot.listeners.request_context import services_of, team_of
from findimg_bot.service.question_from_message import read_search_question
from findimg_bot.slack.message_text import read_message
from findimg_bot.slack.replies import EphemeralReply


async def findimg(
    ack: AsyncAck, command: dict[str, Any], context: AsyncBoltContext, client: AsyncWebClient, respond: AsyncRespond
) -> None:
    """Answer one person with thumbnails and buttons, or switch indexing off or on in the channel."""
    word = str(command.get("text") or "").strip().lower()
    if word in SWITCHES:
        await switch_channel(SWITCHES[word], ack, command, context, client, respond)
        return
    message = read_message(command.get("text", ""))
    if not await acknowledge(ack, "/findimg", message, needs_text=True):
        return
    services = services_of(context)
    user, channel = command["user_id"], command["channel_id"]
    reply = EphemeralReply(respond, client, channel, user)
    async with services.handling_request("findimg", reply):
        question = await read_search_question(services.uploads, client, message, user, channel)
        await services.queries.search(client, team_of(context), reply, question)
