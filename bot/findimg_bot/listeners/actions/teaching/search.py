"""Enter in the search field of the modal `Teach a name`."""

from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.context.async_context import AsyncBoltContext
from slack_sdk.web.async_client import AsyncWebClient

from findimg_bot.listeners.teaching import chosen_so_far, modal_reply, show_pictures, store_choices
from findimg_bot.service.query_service import QueryService
from findimg_bot.service.questions import read_search_question
from findimg_bot.slack.blocks.teach_modal import read_request, read_search
from findimg_bot.slack.message_text import read_message


async def search_to_teach(
    ack: AsyncAck, body: dict[str, Any], context: AsyncBoltContext, client: AsyncWebClient
) -> None:
    """Keep what is ticked, and show the pictures for the new words."""
    await ack()
    service: QueryService = context["service"]
    view = body["view"]
    request = read_request(view)
    reply = modal_reply(client, view["id"], context, request)
    async with service.answering("teach_pictures", reply):
        service.teaching.check(context["person"])
        chosen, _ = await chosen_so_far(context, view)
        request = await store_choices(context, request, chosen)
        reply = modal_reply(client, view["id"], context, request)
        message = read_message(read_search(view))
        question = await read_search_question(service, client, message, str(context.user_id), request.channel)
        await show_pictures(context, client, reply, request, question, chosen=chosen)
