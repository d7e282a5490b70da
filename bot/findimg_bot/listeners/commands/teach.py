"""`/teach lotus`: teach a name with pictures. `/teach` alone lists what the team taught."""

from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.context.async_context import AsyncBoltContext
from slack_bolt.context.respond.async_respond import AsyncRespond
from slack_sdk.web.async_client import AsyncWebClient

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


async def teach(
    ack: AsyncAck, command: dict[str, Any], context: AsyncBoltContext, client: AsyncWebClient, respond: AsyncRespond
) -> None:
    """Open the modal with the linked picture, else the newest one in the channel, else the hits for the name."""
    message = read_message(command.get("text", ""))
    if message.intent == "help":
        answer = help_message("/teach")
        await ack(text=answer.text, blocks=list(answer.blocks), response_type="ephemeral")
        return
    await ack()
    services = services_of(context)
    user, channel = command["user_id"], command["channel_id"]
    errors = EphemeralReply(respond, client, channel, user, answered=True)
    async with services.handling_request("teach", errors):
        if not message.text and not message.links:
            await errors.send(taught_list_message(await services.teaching.list_names(), 0, team_of(context)))
            return
        name = clean_name(message.text) if message.text else ""
        request = TeachRequest(name, channel)
        reply = await open_teach_modal(context, client, command["trigger_id"], request)
        async with services.handling_request("teach_pictures", reply):
            if message.links:
                file = await find_linked(client, message.links[0], user, channel)
            else:
                found = await find_newest(client, channel)
                if found is None:
                    question = Question("/findimg", name_query(name))
                    await show_pictures(context, client, reply, request, PicturePage(question))
                    return
                file = found
            await show_uploads(context, client, reply, request, [file])
