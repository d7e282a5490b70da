"""`Name this picture…` in a message's menu: opens the modal that teaches a name."""

from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.context.async_context import AsyncBoltContext
from slack_bolt.context.respond.async_respond import AsyncRespond
from slack_sdk.web.async_client import AsyncWebClient

from findimg.errors import QueryError
from findimg_bot.listeners.clicks import find_question, hits_of_results_message
from findimg_bot.listeners.request_context import services_of
from findimg_bot.listeners.teach_modal import PicturePage, open_teach_modal, show_pictures, show_uploads
from findimg_bot.service.teaching import suggested_name
from findimg_bot.slack.blocks.button_values import question_of_value
from findimg_bot.slack.blocks.modals.teach_name import MOST_IN_MODAL, TeachRequest
from findimg_bot.slack.pictures.image_files import images_of
from findimg_bot.slack.replies import EphemeralReply


async def name_picture(
    ack: AsyncAck, shortcut: dict[str, Any], context: AsyncBoltContext, client: AsyncWebClient, respond: AsyncRespond
) -> None:
    """Open the modal for the message's pictures, or for the pictures of one of findimg's answers."""
    await ack()
    message, channel = shortcut["message"], shortcut["channel"]["id"]
    thread = message.get("thread_ts")
    thread = thread if thread != message["ts"] else None
    services = services_of(context)
    errors = EphemeralReply(respond, client, channel, shortcut["user"]["id"], thread, answered=True)
    async with services.handling_request("teach", errors):
        request = TeachRequest("", channel, thread)
        reply = await open_teach_modal(context, client, shortcut["trigger_id"], request)
        async with services.handling_request("teach_pictures", reply):
            if hits := await hits_of_results_message(context, message):
                stored = await find_question(context, question_of_value(next(iter(hits))))
                request = TeachRequest(suggested_name(stored.question), channel, thread)
                await show_pictures(context, client, reply, request, PicturePage(stored.question, stored.skip))
            elif files := await images_of(client, message):
                await show_uploads(context, client, reply, request, files[:MOST_IN_MODAL])
            else:
                raise QueryError("That message has no image. Choose one that has an image, or upload one here.")
