"""`Next` and `Previous` in the modal `Find a picture`."""

from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.context.async_context import AsyncBoltContext
from slack_sdk.web.async_client import AsyncWebClient

from findimg_bot.listeners.clicks import find_question
from findimg_bot.listeners.request_context import services_of, team_of
from findimg_bot.service.library_reader import PAGE
from findimg_bot.slack.blocks.modals.find_picture import NEXT_IN_MODAL, results_in_modal
from findimg_bot.slack.modal_reply import ModalReply


async def turn_modal_page(
    ack: AsyncAck, action: dict[str, Any], body: dict[str, Any], context: AsyncBoltContext, client: AsyncWebClient
) -> None:
    """Show another page of the same hits."""
    await ack()
    services = services_of(context)
    reply = ModalReply(client, body["view"]["id"], body["user"]["id"])
    async with services.handling_request(action["action_id"], reply):
        stored = await find_question(context, action["value"])
        step = PAGE if action["action_id"] == NEXT_IN_MODAL else -PAGE
        skip = max(0, stored.skip + step)
        await services.queries.search(client, team_of(context), reply, stored.question, skip, results_in_modal)
