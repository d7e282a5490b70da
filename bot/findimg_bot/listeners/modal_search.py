"""Shared by the listeners of the modal `Find a picture`."""

from collections.abc import Mapping
from typing import Any

from slack_bolt.context.async_context import AsyncBoltContext
from slack_sdk.web.async_client import AsyncWebClient

from findimg.errors import QueryError
from findimg_bot.listeners.common import team_of
from findimg_bot.service.query_service import QueryService
from findimg_bot.service.questions import read_search_question
from findimg_bot.slack.blocks.guidance import SMALL_TALK
from findimg_bot.slack.blocks.picture_modal import modal_results, typed_words
from findimg_bot.slack.message_text import read_message
from findimg_bot.slack.replies import ModalReply


async def answer_in_modal(view: Mapping[str, Any], context: AsyncBoltContext, client: AsyncWebClient) -> None:
    """Search for what the person typed, and show the found pictures in the modal."""
    service: QueryService = context["service"]
    user = str(context.user_id)
    reply = ModalReply(client, view["id"], user)
    async with service.answering("find_picture", reply):
        message = read_message(typed_words(view))
        if message.intent != "query" and not message.links:
            raise QueryError(SMALL_TALK)
        question = await read_search_question(service, client, message, user, channel="")
        await service.search(client, team_of(context), reply, question, build=modal_results)
