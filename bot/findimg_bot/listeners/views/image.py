"""The modal in which a person chooses an image."""

import json
from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.context.async_context import AsyncBoltContext
from slack_sdk.web.async_client import AsyncWebClient

from findimg_bot.listeners.common import answer_uploaded
from findimg_bot.slack.blocks.image_modal import ImageRequest
from findimg_bot.slack.image_files import image_among
from findimg_bot.slack.replies import PrivateReply


async def image(
    ack: AsyncAck, view: dict[str, Any], body: dict[str, Any], context: AsyncBoltContext, client: AsyncWebClient
) -> None:
    """Tag the chosen image, or find similar images."""
    file = image_among(view["state"]["values"]["image"]["file"].get("files"))
    if file is None:
        await ack(response_action="errors", errors={"image": "That file is not an image. Choose a photo."})
        return
    await ack()
    request = ImageRequest(**json.loads(view["private_metadata"]))
    reply = PrivateReply(client, request.channel, body["user"]["id"], request.thread)
    await answer_uploaded(request.command, file, context, client, reply, request.text)
