"""The modal in which a person chooses an image."""

from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.context.async_context import AsyncBoltContext
from slack_sdk.web.async_client import AsyncWebClient

from findimg_bot.listeners.image_questions import answer_file
from findimg_bot.slack.blocks.modals.choose_image import IMAGE_BLOCK, read_chosen_image, read_image_request
from findimg_bot.slack.replies import PrivateReply


async def chosen_image(
    ack: AsyncAck, view: dict[str, Any], body: dict[str, Any], context: AsyncBoltContext, client: AsyncWebClient
) -> None:
    """Tag the chosen image, or find similar images."""
    file = read_chosen_image(view)
    if file is None:
        await ack(response_action="errors", errors={IMAGE_BLOCK: "That file is not an image. Choose a photo."})
        return
    await ack()
    request = read_image_request(view)
    reply = PrivateReply(client, request.channel, body["user"]["id"], request.thread)
    await answer_file(request.command, file, context, client, reply, request.text)
