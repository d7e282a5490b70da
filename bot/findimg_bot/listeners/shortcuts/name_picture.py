"""`Name this picture…` in a message's menu: opens the modal that teaches a name."""

from slack_bolt.kwargs_injection.async_args import AsyncArgs

from findimg.errors import QueryError
from findimg_bot.listeners.clicks import find_question, hits_of_results_message
from findimg_bot.listeners.request_context import services_of
from findimg_bot.listeners.teach_modal import PicturePage, open_teach_modal, show_pictures, show_uploads
from findimg_bot.service.teaching import suggested_name
from findimg_bot.slack.blocks.button_values import question_of_value
from findimg_bot.slack.blocks.modals.teach_name import MOST_IN_MODAL, TeachRequest
from findimg_bot.slack.pictures.image_files import images_of
from findimg_bot.slack.replies import EphemeralReply


async def name_picture(args: AsyncArgs) -> None:
    """Open the modal for the message's pictures, or for the pictures of one of findimg's answers."""
    shortcut = args.payload
    await args.ack()
    message, channel = shortcut["message"], shortcut["channel"]["id"]
    thread = message.get("thread_ts")
    thread = thread if thread != message["ts"] else None
    services = services_of(args.context)
    errors = EphemeralReply(args.respond, args.client, channel, shortcut["user"]["id"], thread, answered=True)
    async with services.handling_request("teach", errors):
        request = TeachRequest("", channel, thread)
        reply = await open_teach_modal(args.context, args.client, shortcut["trigger_id"], request)
        async with services.handling_request("teach_pictures", reply):
            if hits := await hits_of_results_message(args.context, message):
                stored = await find_question(args.context, question_of_value(next(iter(hits))))
                request = TeachRequest(suggested_name(stored.question), channel, thread)
                await show_pictures(
                    args.context, args.client, reply, request, PicturePage(stored.question, stored.skip)
                )
            elif files := await images_of(args.client, message):
                await show_uploads(args.context, args.client, reply, request, files[:MOST_IN_MODAL])
            else:
                raise QueryError("That message has no image. Choose one that has an image, or upload one here.")
