"""`More pictures` and `Previous pictures` in the modal `Teach a name`."""

from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.context.async_context import AsyncBoltContext
from slack_sdk.web.async_client import AsyncWebClient

from findimg_bot.listeners.common import find_question
from findimg_bot.listeners.teaching import chosen_so_far, modal_reply, show_pictures, store_choices
from findimg_bot.service.query_service import PAGE, QueryService
from findimg_bot.slack.blocks.teach_modal import read_request


async def turn_page(
    ack: AsyncAck, action: dict[str, Any], body: dict[str, Any], context: AsyncBoltContext, client: AsyncWebClient
) -> None:
    """Keep what is ticked, and show another page of the same pictures."""
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
        stored = await find_question(context, action["value"])
        skip = max(0, stored.skip + (PAGE if action["action_id"] == "next_to_teach" else -PAGE))
        await show_pictures(context, client, reply, request, stored.question, skip, chosen)
