"""Answers about the images of a message whose menu was used."""

from slack_bolt.kwargs_injection.async_args import AsyncArgs

from findimg.errors import QueryError
from findimg_bot.listeners.clicks import hits_of_results_message
from findimg_bot.listeners.image_questions import answer_files
from findimg_bot.listeners.request_context import services_of
from findimg_bot.slack.blocks.button_values import HitTask, with_suffix
from findimg_bot.slack.blocks.which_image import CHOOSE_HIT, which_image_message
from findimg_bot.slack.pictures.image_files import images_of
from findimg_bot.slack.replies import EphemeralReply


async def answer_shortcut(task: HitTask, args: AsyncArgs) -> None:
    """Answer about the message's images.

    Args:
        task: `HitTask.TAG` or `HitTask.SIMILAR`.
    """
    shortcut = args.payload
    message = shortcut["message"]
    thread = message.get("thread_ts")
    # The first message of a thread is shown in the channel, so its answer is, too.
    thread = thread if thread != message["ts"] else None
    reply = EphemeralReply(args.respond, args.client, shortcut["channel"]["id"], shortcut["user"]["id"], thread)
    services = services_of(args.context)
    async with services.handling_request(task, reply):
        if hits := await hits_of_results_message(args.context, message):
            choices = [(name, with_suffix(choice, task)) for choice, name in hits.items()]
            await reply.send(which_image_message("Which picture of this answer?", choices, CHOOSE_HIT))
        elif files := await images_of(args.client, message):
            await answer_files(task, files, args.context, args.client, reply)
        else:
            raise QueryError("That message has no image. Choose one that has an image.")
