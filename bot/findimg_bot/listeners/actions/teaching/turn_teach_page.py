"""`More pictures` and `Previous pictures` in the modal `Teach a name`."""

from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.context.async_context import AsyncBoltContext
from slack_sdk.web.async_client import AsyncWebClient

from findimg_bot.listeners.clicks import find_question
from findimg_bot.listeners.teach_modal import PicturePage, show_other_pictures
from findimg_bot.service.library_reader import PAGE
from findimg_bot.slack.blocks.modals.teach_name import NEXT_TO_TEACH, Choices, TeachRequest
from findimg_bot.state.store import StoredQuestion


async def turn_teach_page(
    ack: AsyncAck, action: dict[str, Any], body: dict[str, Any], context: AsyncBoltContext, client: AsyncWebClient
) -> None:
    """Keep what is ticked, and show another page of the same pictures."""
    await ack()

    async def choose(request: TeachRequest, chosen: Choices, page: StoredQuestion | None) -> PicturePage:
        stored = await find_question(context, action["value"])
        step = PAGE if action["action_id"] == NEXT_TO_TEACH else -PAGE
        return PicturePage(stored.question, max(0, stored.skip + step))

    await show_other_pictures(context, client, body["view"], choose)
