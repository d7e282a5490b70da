"""Answers messages to the bot. Words start a search. An image gets its tags and similar images."""

from typing import Any

from slack_bolt.context.async_context import AsyncBoltContext
from slack_sdk.web.async_client import AsyncWebClient

from findimg_bot.listeners.common import is_direct, team_of
from findimg_bot.service.answers import Question
from findimg_bot.service.query_service import QueryService
from findimg_bot.service.questions import add_uploaded_image, read_search_question, unescaped
from findimg_bot.slack.blocks.guidance import help_message
from findimg_bot.slack.replies import ConversationReply
from findimg_bot.slack.uploads import find_in_thread, image_among


async def answer_message(event: dict[str, Any], context: AsyncBoltContext, client: AsyncWebClient) -> None:
    """Answer in the message's thread. A mention without words is about the image that starts the thread."""
    service: QueryService = context["service"]
    team, channel, user = team_of(context), event["channel"], event.get("user", "")
    thread = event.get("thread_ts")
    # A direct message needs no thread of its own.
    reply = ConversationReply(client, channel, user, thread or (None if is_direct(channel) else event["ts"]))
    text = unescaped(event.get("text", ""))
    async with service.answering("message", reply):
        file = image_among(event.get("files"))
        if file is None and not text and thread:
            file = await find_in_thread(client, channel, thread)
        if file is None and text.lower() in ("", "help"):
            await reply.send(help_message("/findimg"))
            return
        if file is not None:
            question = await add_uploaded_image(service, client, Question("/similar", ""), file)
            await service.describe(client, team, reply, question)
        else:
            question = await read_search_question(service, client, text, user, channel)
            await service.search(client, team, reply, question)
