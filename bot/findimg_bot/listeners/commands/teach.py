"""`/teach lotus`: teach a name with pictures. `/teach` alone lists what the team taught."""

from slack_bolt.kwargs_injection.async_args import AsyncArgs

from findimg.taught.names import clean_name
from findimg_bot.listeners.request_context import services_of, team_of
from findimg_bot.listeners.teach_modal import PicturePage, open_teach_modal, show_pictures, show_uploads
from findimg_bot.questions import Question
from findimg_bot.service.teaching import name_query
from findimg_bot.slack.blocks.guidance import help_message
from findimg_bot.slack.blocks.modals.teach_name import TeachRequest
from findimg_bot.slack.blocks.taught_names import taught_list_message
from findimg_bot.slack.message_text import read_message
from findimg_bot.slack.pictures.image_files import find_linked, find_newest
from findimg_bot.slack.replies import EphemeralReply


async def teach(args: AsyncArgs) -> None:
    """Open the modal with the linked picture, else the newest one in the channel, else the hits for the name."""
    command = args.payload
    message = read_message(command.get("text", ""))
    if message.intent == "help":
        answer = help_message("/teach")
        await args.ack(text=answer.text, blocks=list(answer.blocks), response_type="ephemeral")
        return
    await args.ack()
    services = services_of(args.context)
    user, channel = command["user_id"], command["channel_id"]
    errors = EphemeralReply(args.respond, args.client, channel, user, answered=True)
    async with services.handling_request("teach", errors):
        if not message.text and not message.links:
            await errors.send(taught_list_message(await services.teaching.list_names(), 0, team_of(args.context)))
            return
        name = clean_name(message.text) if message.text else ""
        request = TeachRequest(name, channel)
        reply = await open_teach_modal(args.context, args.client, command["trigger_id"], request)
        async with services.handling_request("teach_pictures", reply):
            if message.links:
                file = await find_linked(args.client, message.links[0], user, channel)
            else:
                found = await find_newest(args.client, channel)
                if found is None:
                    question = Question("/findimg", name_query(name))
                    await show_pictures(args.context, args.client, reply, request, PicturePage(question))
                    return
                file = found
            await show_uploads(args.context, args.client, reply, request, [file])
