"""Shared by the listeners of the modal `Find a picture`."""

from slack_bolt.context.async_context import AsyncBoltContext
from slack_sdk.web.async_client import AsyncWebClient

from findimg.errors import QueryError
from findimg_bot.listeners.request_context import services_of, team_of
from findimg_bot.service.question_from_message import read_search_question
from findimg_bot.slack.blocks.guidance import SMALL_TALK
from findimg_bot.slack.blocks.modals.find_picture import read_words, results_in_modal
from findimg_bot.slack.message_text import read_message
from findimg_bot.slack.modal_reply import ModalReply
from findimg_bot.slack_objects import SlackObject


async def answer_in_modal(view: SlackObject, context: AsyncBoltContext, client: AsyncWebClient) -> None:
    """Search for what the person typed, and show the found pictures in the modal."""
    services = services_of(context)
    user = str(context.user_id)
    reply = ModalReply(client, view["id"], user)
    async with services.handling_request("find_picture", reply):
        message = read_message(read_words(view))
        if message.intent != "query" and not message.links:
            raise QueryError(SMALL_TALK)
        question = await read_search_question(services.uploads, client, message, user, channel="")
        await services.queries.search(client, team_of(context), reply, question, build_message=results_in_modal)
