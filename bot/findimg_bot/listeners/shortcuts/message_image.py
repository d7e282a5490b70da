"""Answers about the image of a message whose menu was used."""

from typing import Any

from slack_bolt.context.async_context import AsyncBoltContext
from slack_bolt.context.respond.async_respond import AsyncRespond
from slack_sdk.web.async_client import AsyncWebClient

from findimg_bot.listeners.common import answer_uploaded
from findimg_bot.slack.blocks.message import text_message
from findimg_bot.slack.replies import EphemeralReply
from findimg_bot.slack.uploads import image_among


async def answer_shortcut(
    command: str,
    shortcut: dict[str, Any],
    context: AsyncBoltContext,
    client: AsyncWebClient,
    respond: AsyncRespond,
) -> None:
    """Answer `/tag` or `/similar` about the message's first image."""
    message = shortcut["message"]
    thread = message.get("thread_ts")
    # The first message of a thread is shown in the channel, so its answer is, too.
    thread = thread if thread != message["ts"] else None
    reply = EphemeralReply(respond, client, shortcut["channel"]["id"], shortcut["user"]["id"], thread)
    file = image_among(message.get("files"))
    if file is None:
        await reply.send(text_message("That message has no image. Choose one that has an image."))
    else:
        await answer_uploaded(command, file, context, client, reply)
