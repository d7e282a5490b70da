"""Enter in the search field of the modal `Teach a name`."""

from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.context.async_context import AsyncBoltContext
from slack_sdk.web.async_client import AsyncWebClient

from findimg_bot.listeners.request_context import services_of
from findimg_bot.listeners.teach_modal import PicturePage, show_other_pictures
from findimg_bot.service.question_from_message import read_search_question
from findimg_bot.slack.blocks.modals.teach_name import Choices, TeachRequest, read_search
from findimg_bot.slack.message_text import read_message
from findimg_bot.state.store import StoredQuestion


async def search_to_teach(
    ack: AsyncAck, body: dict[str, Any], context: AsyncBoltContext, client: AsyncWebClient
) -> None:
    """Keep what is ticked, and show the pictures for the new words."""
    await ack()
    services = services_of(context)
    view = body["view"]

    async def choose(request: TeachRequest, chosen: Choices, page: StoredQuestion | None) -> PicturePage:
        message = read_message(read_search(view))
        user = str(context.user_id)
        return PicturePage(await read_search_question(services.uploads, client, message, user, request.channel))

    await show_other_pictures(context, client, view, choose)
