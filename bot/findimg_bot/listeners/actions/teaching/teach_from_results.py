"""`Teach` below a results page: opens the modal with the page's pictures."""

from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.context.async_context import AsyncBoltContext
from slack_bolt.context.respond.async_respond import AsyncRespond
from slack_sdk.web.async_client import AsyncWebClient

from findimg_bot.listeners.clicks import find_question, reply_to_errors, thread_of_click
from findimg_bot.listeners.request_context import services_of
from findimg_bot.listeners.teach_modal import PicturePage, open_teach_modal, show_pictures
from findimg_bot.service.teaching import suggested_name
from findimg_bot.slack.blocks.modals.teach_name import TeachRequest


async def teach_from_results(
    ack: AsyncAck,
    action: dict[str, Any],
    body: dict[str, Any],
    context: AsyncBoltContext,
    client: AsyncWebClient,
    respond: AsyncRespond,
) -> None:
    """Open the modal for the page's question."""
    await ack()
    services = services_of(context)
    errors = reply_to_errors(body, client, respond)
    async with services.handling_request("teach", errors):
        stored = await find_question(context, action["value"])
        name = suggested_name(stored.question)
        request = TeachRequest(name, body["channel"]["id"], thread_of_click(body))
        reply = await open_teach_modal(context, client, body["trigger_id"], request)
        async with services.handling_request("teach_pictures", reply):
            await show_pictures(context, client, reply, request, PicturePage(stored.question, stored.skip))
