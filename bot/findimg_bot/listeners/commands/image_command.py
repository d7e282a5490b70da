"""Answers the commands about an image."""

from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.context.async_context import AsyncBoltContext
from slack_bolt.context.respond.async_respond import AsyncRespond
from slack_sdk.web.async_client import AsyncWebClient

from findimg_bot.listeners.commands.acknowledge import acknowledge
from findimg_bot.listeners.image_questions import answer_image_question, open_image_modal
from findimg_bot.listeners.request_context import services_of, team_of
from findimg_bot.service.question_from_message import read_image_question
from findimg_bot.slack.blocks.modals.choose_image import ImageRequest
from findimg_bot.slack.message_text import read_message
from findimg_bot.slack.replies import EphemeralReply

NO_IMAGE_HERE = (
    "No image was found in this channel. findimg sees only channels of which it is a member: /invite @findimg."
)


async def answer_image_command(
    name: str,
    ack: AsyncAck,
    command: dict[str, Any],
    context: AsyncBoltContext,
    client: AsyncWebClient,
    respond: AsyncRespond,
) -> None:
    """Answer `/tag` and `/similar`, or open a modal where there is no image."""
    message = read_message(command.get("text", ""))
    if not await acknowledge(ack, name, message):
        return
    services = services_of(context)
    user, channel = command["user_id"], command["channel_id"]
    reply = EphemeralReply(respond, client, channel, user)
    async with services.handling_request(name[1:], reply):
        found = await read_image_question(services.uploads, client, name, message, user, channel)
        if found is None:
            await open_image_modal(
                client, command["trigger_id"], ImageRequest(name, channel, message.text), NO_IMAGE_HERE
            )
        else:
            await answer_image_question(services.queries, client, team_of(context), reply, *found)
