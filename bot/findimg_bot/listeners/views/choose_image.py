"""The modal in which a person chooses an image, for `/tag` or `/similar`. `ask_for_image` opens it."""

from slack_bolt.kwargs_injection.async_args import AsyncArgs

from findimg_bot.listeners.image_questions import answer_file
from findimg_bot.slack.blocks.modals.choose_image import IMAGE_BLOCK, read_chosen_image, read_image_request
from findimg_bot.slack.replies import PrivateReply


async def choose_image(args: AsyncArgs) -> None:
    """Tag the chosen image, or find similar images."""
    view = args.payload
    file = read_chosen_image(view)
    if file is None:
        await args.ack(response_action="errors", errors={IMAGE_BLOCK: "That file is not an image. Choose a photo."})
        return
    await args.ack()
    request = read_image_request(view)
    reply = PrivateReply(args.client, request.channel, args.body["user"]["id"], request.thread)
    await answer_file(request.command, file, args.context, args.client, reply, request.text)
