"""Answers about the images of a message whose menu was used."""

from typing import Any

from slack_bolt.context.async_context import AsyncBoltContext
from slack_bolt.context.respond.async_respond import AsyncRespond
from slack_sdk.web.async_client import AsyncWebClient

from findimg.errors import QueryError
from findimg_bot.listeners.clicks import hits_of_results_message
from findimg_bot.listeners.image_questions import answer_files
from findimg_bot.listeners.request_context import services_of
from findimg_bot.slack.blocks.button_values import with_suffix
from findimg_bot.slack.blocks.image_choice import CHOOSE_HIT, image_choice_message
from findimg_bot.slack.pictures.image_files import images_of
from findimg_bot.slack.replies import EphemeralReply


async def answer_shortcut(
    command: str,
    shortcut: dict[str, Any],
    context: AsyncBoltContext,
    client: AsyncWebClient,
    respond: AsyncRespond,
) -> None:
    """Answer `/tag` or `/similar` about the message's images."""
    message = shortcut["message"]
    thread = message.get("thread_ts")
    # The first message of a thread is shown in the channel, so its answer is, too.
    thread = thread if thread != message["ts"] else None
    reply = EphemeralReply(respond, client, shortcut["channel"]["id"], shortcut["user"]["id"], thread)
    services = services_of(context)
    task = command.removeprefix("/")
    async with services.handling_request(task, reply):
        if hits := await hits_of_results_message(context, message):
            choices = [(name, with_suffix(choice, task)) for choice, name in hits.items()]
            await reply.send(image_choice_message("Which picture of this answer?", choices, CHOOSE_HIT))
        elif files := await images_of(client, message):
            await answer_files(task, files, context, client, reply)
        else:
            raise QueryError("That message has no image. Choose one that has an image.")
