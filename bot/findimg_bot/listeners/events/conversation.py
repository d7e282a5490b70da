"""Answers messages to the bot. Words start a search. An image gets its tags and similar images."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from slack_bolt.context.async_context import AsyncBoltContext
from slack_sdk.web.async_client import AsyncWebClient

from findimg.errors import QueryError
from findimg.text.politeness import is_greeting
from findimg_bot.listeners.common import answer_uploads, hits_of_answer, is_direct, team_of
from findimg_bot.service.answers import Question
from findimg_bot.service.query_service import QueryService
from findimg_bot.service.questions import add_uploaded_image, filters_beside_image, read_search_question
from findimg_bot.slack.blocks.guidance import SMALL_TALK, help_message, welcome_message
from findimg_bot.slack.blocks.message import Message, text_message
from findimg_bot.slack.blocks.results import image_choice_message
from findimg_bot.slack.image_files import SlackFile, images_of, thread_start
from findimg_bot.slack.message_text import MessageText, picture_wish, read_message
from findimg_bot.slack.replies import ConversationReply


async def answer_message(event: dict[str, Any], context: AsyncBoltContext, client: AsyncWebClient) -> None:
    """Answer in the message's thread, in a direct message beside the message.

    Without words of its own, a message in a thread is about the image that starts the thread.
    """
    service: QueryService = context["service"]
    channel = event["channel"]
    # Workflows and other apps have no user.
    user = event.get("user") or ""
    thread = event.get("thread_ts")
    reply = ConversationReply(client, channel, user, thread or (None if is_direct(channel) else event["ts"]))
    async with service.answering("message", reply):
        message = read_message(event.get("text") or "")
        wish = picture_wish(message)
        files = await images_of(client, event)
        if not files and thread and (wish or message.intent == "nothing") and not message.links:
            start = await thread_start(client, channel, thread)
            if start and (uris := await hits_of_answer(context, start)):
                await reply.send(_which_hit(uris, wish))
                return
            files = await images_of(client, start or {})
        if files:
            await _answer_images(context, client, reply, message, files, wish)
        elif message.links or message.web_links or message.intent == "query":
            question = await read_search_question(service, client, message, user, channel)
            await service.search(client, team_of(context), reply, question)
        elif message.intent == "small_talk":
            await _answer_small_talk(service, reply, message)
        else:
            await reply.send(help_message("/findimg"))


async def _answer_images(
    context: AsyncBoltContext,
    client: AsyncWebClient,
    reply: ConversationReply,
    message: MessageText,
    files: Sequence[SlackFile],
    wish: Literal["tag", "similar"] | None,
) -> None:
    service: QueryService = context["service"]
    if wish or len(files) > 1:
        await answer_uploads(wish or "tag", files, context, client, reply)
        return
    question = Question("/similar", filters_beside_image(message.text))
    question = await add_uploaded_image(service, client, question, files[0])
    await service.describe(client, team_of(context), reply, question)


async def _answer_small_talk(service: QueryService, reply: ConversationReply, message: MessageText) -> None:
    if is_greeting(message.text):
        manifest = await service.manifest()
        await reply.send(welcome_message(manifest.images, ()))
    else:
        await reply.send(text_message(SMALL_TALK))


def _which_hit(choices: Mapping[str, str], wish: Literal["tag", "similar"] | None) -> Message:
    what = wish or "similar"
    if not choices:
        raise QueryError("That answer has no pictures. Ask again.")
    return image_choice_message(
        "Which picture of this answer?",
        [(name, f"{choice}.{what}") for choice, name in choices.items()],
        "choose_hit",
    )
