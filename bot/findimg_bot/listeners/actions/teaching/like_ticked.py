"""`More like the ticked ones` in the modal `Teach a name`."""

from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.context.async_context import AsyncBoltContext
from slack_sdk.web.async_client import AsyncWebClient

from findimg_bot.listeners.teaching import chosen_so_far, modal_reply, show_pictures, store_choices
from findimg_bot.service.answers import Question
from findimg_bot.service.query_service import QueryService
from findimg_bot.slack.blocks.teach_modal import read_request, read_ticks


async def like_ticked(ack: AsyncAck, body: dict[str, Any], context: AsyncBoltContext, client: AsyncWebClient) -> None:
    """Keep what is ticked, and show pictures that look like one that is ticked, on this page if there is one."""
    await ack()
    service: QueryService = context["service"]
    view = body["view"]
    request = read_request(view)
    reply = modal_reply(client, view["id"], context, request)
    async with service.answering("teach_pictures", reply):
        service.teaching.check(context["person"])
        chosen, page = await chosen_so_far(context, view)
        request = await store_choices(context, request, chosen)
        reply = modal_reply(client, view["id"], context, request)
        here = read_ticks(view).choices(page.uris).like if page else frozenset()
        if page is None or not (here or chosen.like):
            skip, question = (page.skip, page.question) if page else (0, Question("/findimg", request.name))
        else:
            skip, question = 0, Question("/similar", "", like=min(here or chosen.like))
        await show_pictures(context, client, reply, request, question, skip, chosen)
