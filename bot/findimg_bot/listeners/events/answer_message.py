"""Answers messages to the bot. Words start a search. An image gets its tags and similar images."""

from collections.abc import Mapping, Sequence
from datetime import date

from slack_bolt.context.async_context import AsyncBoltContext
from slack_sdk.web.async_client import AsyncWebClient

from findimg.errors import QueryError
from findimg.search.query import filters_beside_image
from findimg.text.typed.politeness import is_greeting
from findimg_bot.listeners.assistant_panel import has_panel, viewed_channel
from findimg_bot.listeners.clicks import hits_of_results_message
from findimg_bot.listeners.image_questions import answer_files
from findimg_bot.listeners.request_context import person_of, services_of, team_of
from findimg_bot.listeners.teach_modal import teach_and_confirm
from findimg_bot.questions import Question
from findimg_bot.service.library_reader import LibraryReader
from findimg_bot.service.question_from_message import add_uploaded_image, read_search_question
from findimg_bot.service.request_handling import PROGRESS_DELAY
from findimg_bot.slack.blocks.button_values import HitTask, with_suffix
from findimg_bot.slack.blocks.guidance import SMALL_TALK, help_message, welcome_message
from findimg_bot.slack.blocks.message import Message, text_message
from findimg_bot.slack.blocks.modals.teach_name import Choices
from findimg_bot.slack.blocks.which_image import CHOOSE_HIT, which_image_message
from findimg_bot.slack.channel_ids import is_direct
from findimg_bot.slack.image_intent import image_task, name_to_teach
from findimg_bot.slack.message_text import MessageText, read_message
from findimg_bot.slack.pictures.image_files import SlackFile, find_newest, images_of, thread_messages
from findimg_bot.slack.replies import ConversationReply
from findimg_bot.slack_objects import SlackObject

_NO_PICTURE = "There is no picture here. Send one, or ask in the thread of one."


async def answer_message(event: SlackObject, context: AsyncBoltContext, client: AsyncWebClient) -> None:
    """Answer in the message's thread, in a direct message beside the message.

    Without words of its own, a message in a thread is about the image that starts the thread, else about the newest
    one in it. Outside of threads, a message that asks about an image is about the newest one in the conversation, or
    in the channel beside the assistant panel.
    """
    services = services_of(context)
    channel = event["channel"]
    # Workflows and other apps have no user.
    user = event.get("user") or ""
    in_panel = is_direct(channel) and has_panel(context)
    beside = is_direct(channel) and not in_panel
    thread = event.get("thread_ts") or (None if beside else event["ts"])
    reply = ConversationReply(client, channel, user, thread, in_panel=in_panel)
    async with services.handling_request("message", reply, 0.0 if in_panel else PROGRESS_DELAY):
        message = read_message(event.get("text") or "")
        if name := name_to_teach(message):
            await _teach_from_message(name, event, context, client, reply)
            return
        task = image_task(message)
        files = await images_of(client, event)
        if not files and (task or message.intent == "nothing") and not message.links and not message.web_links:
            if event.get("files"):
                raise QueryError("That file is not an image. Send a photo.")
            for earlier in await _messages_with_pictures(client, event, context.bot_id):
                if uris := await hits_of_results_message(context, earlier):
                    await reply.send(_which_hit(uris, task or HitTask.SIMILAR))
                    return
                if files := await images_of(client, earlier):
                    break
            if task and not files:
                files = await _newest_in_sight(client, event)
        if files:
            await _answer_images(context, client, reply, message, files, task)
        elif message.links or message.web_links or message.intent == "query":
            question = await read_search_question(services.uploads, client, message, user, channel)
            await services.queries.search(client, team_of(context), reply, question)
        elif message.intent == "small_talk":
            await _answer_small_talk(services.reader, reply, message)
        else:
            await reply.send(help_message("/findimg"))


async def _newest_in_sight(client: AsyncWebClient, event: SlackObject) -> list[SlackFile]:
    """Return the newest image of the channel beside the assistant panel, else of the conversation outside of threads.

    Raises:
        QueryError: there is none.
    """
    viewed = viewed_channel(event.get("app_context"))
    for channel in (viewed, "" if event.get("thread_ts") else event["channel"]):
        if channel and (newest := await find_newest(client, channel)):
            return [newest]
    raise QueryError(_NO_PICTURE)


async def _teach_from_message(
    name: str, event: SlackObject, context: AsyncBoltContext, client: AsyncWebClient, reply: ConversationReply
) -> None:
    """Teach a name with the pictures of the message, else with those that the thread is about."""
    services = services_of(context)
    services.teaching.check_may_teach(person_of(context))
    files = await images_of(client, event)
    if not files:
        for earlier in await _messages_with_pictures(client, event, context.bot_id):
            if await hits_of_results_message(context, earlier):
                raise QueryError("Use Teach below that answer, and tick the pictures that show it.")
            if files := await images_of(client, earlier):
                break
    if not files:
        raise QueryError(_NO_PICTURE)
    await teach_and_confirm(context, client, reply, name, Choices(), files)


async def _messages_with_pictures(client: AsyncWebClient, event: SlackObject, bot: str | None) -> list[SlackObject]:
    """Return the messages of a thread that can hold the picture in question: its start, then the newest reply first.

    Args:
        bot: id of findimg's own bot, whose answers show pictures.
    """
    if not event.get("thread_ts"):
        return []
    messages = await thread_messages(client, event["channel"], event["thread_ts"])
    earlier = [message for message in messages[1:] if message["ts"] < event["ts"]]
    replies = [
        message
        for message in reversed(earlier)
        if (message.get("bot_id") == bot if "bot_id" in message else message.get("files"))
    ]
    return [*messages[:1], *replies]


async def _answer_images(
    context: AsyncBoltContext,
    client: AsyncWebClient,
    reply: ConversationReply,
    message: MessageText,
    files: Sequence[SlackFile],
    task: HitTask | None,
) -> None:
    services = services_of(context)
    if task or len(files) > 1:
        await answer_files(task or HitTask.TAG, files, context, client, reply)
        return
    question = Question("/similar", filters_beside_image(message.text, date.today()))
    question = await add_uploaded_image(services.uploads, client, question, files[0])
    await services.queries.show_tags_and_similar(client, team_of(context), reply, question)


async def _answer_small_talk(reader: LibraryReader, reply: ConversationReply, message: MessageText) -> None:
    if is_greeting(message.text):
        manifest = await reader.visible_manifest()
        await reply.send(welcome_message(manifest.images, ()))
    else:
        await reply.send(text_message(SMALL_TALK))


def _which_hit(choices: Mapping[str, str], task: HitTask) -> Message:
    if not choices:
        raise QueryError("That answer has no pictures. Ask again.")
    return which_image_message(
        "Which picture of this answer?",
        [(name, with_suffix(choice, task)) for choice, name in choices.items()],
        CHOOSE_HIT,
    )
