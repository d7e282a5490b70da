"""Answers the commands about an image: `/similar` and `/tag`."""

from slack_bolt.kwargs_injection.async_args import AsyncArgs

from findimg_bot.listeners.commands.acknowledge_or_help import acknowledge_or_help
from findimg_bot.listeners.image_questions import answer_image_question, open_image_modal
from findimg_bot.listeners.request_context import services_of, team_of
from findimg_bot.service.question_from_message import read_image_question
from findimg_bot.slack.blocks.modals.choose_image import ImageRequest
from findimg_bot.slack.message_text import read_message
from findimg_bot.slack.replies import EphemeralReply

NO_IMAGE_HERE = (
    "No image was found in this channel. findimg sees only channels of which it is a member: /invite @findimg."
)


async def answer_image_command(name: str, args: AsyncArgs) -> None:
    """Answer `/tag` and `/similar`, or open a modal where there is no image."""
    command = args.payload
    message = read_message(command.get("text", ""))
    if not await acknowledge_or_help(args.ack, name, message):
        return
    services = services_of(args.context)
    user, channel = command["user_id"], command["channel_id"]
    reply = EphemeralReply(args.respond, args.client, channel, user)
    async with services.handling_request(name[1:], reply):
        found = await read_image_question(services.uploads, args.client, name, message, user, channel)
        if found is None:
            await open_image_modal(
                args.client, command["trigger_id"], ImageRequest(name, channel, message.text), NO_IMAGE_HERE
            )
        else:
            await answer_image_question(services.queries, args.client, team_of(args.context), reply, *found)
