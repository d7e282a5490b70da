"""Shared by listeners: acknowledging, answering about images, and finding what a button is about."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.context.async_context import AsyncBoltContext
from slack_bolt.context.respond.async_respond import AsyncRespond
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from findimg.errors import FindimgError, QueryError
from findimg_bot.answers import Question
from findimg_bot.errors import access_error, explain
from findimg_bot.listeners.request_context import services_of, team_of
from findimg_bot.service.query_service import MAX_TAGGED, QueryService
from findimg_bot.service.questions import add_uploaded_image, read_image_question
from findimg_bot.slack.blocks.button_values import HitTask, hit_value, question_of_value, with_suffix
from findimg_bot.slack.blocks.guidance import SMALL_TALK, help_message
from findimg_bot.slack.blocks.image_choice import CHOOSE_FILE, CHOOSE_HIT, image_choice_message
from findimg_bot.slack.blocks.message import text_message
from findimg_bot.slack.blocks.modals.choose_image import ImageRequest, choose_image_modal
from findimg_bot.slack.blocks.results.single_image import MORE_LIKE_THIS
from findimg_bot.slack.blocks.text import escaped, file_name
from findimg_bot.slack.message_text import MessageText, read_message
from findimg_bot.slack.pictures.image_files import SlackFile, blocks_of
from findimg_bot.slack.replies import ConversationReply, EphemeralReply, PrivateReply, Reply
from findimg_bot.state.store import StoredQuestion

NO_IMAGE_HERE = (
    "No image was found in this channel. findimg sees only channels of which it is a member: /invite @findimg."
)
# Elements of an answer whose value starts with the id of its question.
_HIT_ACTIONS = (CHOOSE_HIT, MORE_LIKE_THIS)


async def acknowledge(ack: AsyncAck, command: str, message: MessageText, needs_text: bool = False) -> bool:
    """Acknowledge a command, with help or a friendly line if that answers it. Return whether it needs an answer."""
    without_links = not message.links and not message.web_links
    if message.intent == "help" or (needs_text and message.intent == "nothing" and without_links):
        answer = help_message(command)
    elif message.intent == "small_talk" and without_links:
        answer = text_message(SMALL_TALK)
    else:
        await ack()
        return True
    await ack(text=answer.text, blocks=list(answer.blocks), response_type="ephemeral")
    return False


async def answer_image_command(
    name: str,
    ack: AsyncAck,
    command: dict[str, Any],
    context: AsyncBoltContext,
    client: AsyncWebClient,
    respond: AsyncRespond,
) -> None:
    """Answer `/tag` and `/similar`, or open a modal where there is no image."""
    message = read_message(command.get("text", ""))
    if not await acknowledge(ack, name, message):
        return
    services = services_of(context)
    user, channel = command["user_id"], command["channel_id"]
    reply = EphemeralReply(respond, client, channel, user)
    async with services.answering(name[1:], reply):
        found = await read_image_question(services.uploads, client, name, message, user, channel)
        if found is None:
            await open_modal(client, command["trigger_id"], ImageRequest(name, channel, message.text), NO_IMAGE_HERE)
        else:
            await answer_image(services.queries, client, team_of(context), reply, *found)


async def answer_image(
    queries: QueryService, client: AsyncWebClient, team: str, reply: Reply, question: Question, file: SlackFile | None
) -> None:
    """Answer with an image's tags or with similar images."""
    if question.command == "/tag":
        await queries.tag(team, reply, question, file)
    else:
        await queries.search(client, team, reply, question)


async def answer_uploaded(
    command: str, file: SlackFile, context: AsyncBoltContext, client: AsyncWebClient, reply: Reply, text: str = ""
) -> None:
    """Answer `/tag` or `/similar` about an image in Slack."""
    services = services_of(context)
    async with services.answering(command[1:], reply):
        question = await add_uploaded_image(services.uploads, client, Question(command, text), file)
        await answer_image(services.queries, client, team_of(context), reply, question, file)


async def answer_uploads(
    task: str, files: Sequence[SlackFile], context: AsyncBoltContext, client: AsyncWebClient, reply: Reply
) -> None:
    """Answer about the images of one message: the tags of each, or images like the one that the person chooses.

    Args:
        task: `tag` or `similar`.
    """
    services = services_of(context)
    if len(files) == 1:
        question = await add_uploaded_image(services.uploads, client, Question(f"/{task}", ""), files[0])
        await answer_image(services.queries, client, team_of(context), reply, question, files[0])
    elif task == "tag":
        await _tag_all(files, context, client, reply)
    else:
        choices = [(str(file.get("name") or "image"), with_suffix(str(file["id"]), HitTask.SIMILAR)) for file in files]
        await reply.send(image_choice_message("Similar images to which picture?", choices, CHOOSE_FILE))


async def _tag_all(files: Sequence[SlackFile], context: AsyncBoltContext, client: AsyncWebClient, reply: Reply) -> None:
    """Answer with the tags of each image, and with the reason for each that has none.

    Raises:
        FindimgError: the reason, if no image can be read.
    """
    services = services_of(context)
    images: list[tuple[Question, SlackFile]] = []
    failures: list[str] = []
    errors: list[FindimgError] = []
    for file in files[:MAX_TAGGED]:
        try:
            images.append((await add_uploaded_image(services.uploads, client, Question("/tag", ""), file), file))
        except FindimgError as error:
            errors.append(error)
            failures.append(f"*{escaped(str(file.get('name') or 'image'))}*: {explain(error)}")
    if not images:
        raise errors[0]
    await services.queries.tag_all(team_of(context), reply, images, len(files), failures)


async def hits_of_answer(context: AsyncBoltContext, message: Mapping[str, Any]) -> dict[str, str]:
    """Return the images in one of findimg's own answers: their choices `<question id>.<number>`, and their names.

    A message that forwards an answer has the same images.
    """
    for block in blocks_of(message):
        for element in block.get("elements") or ():
            value = str(element.get("value") or "")
            for group in element.get("option_groups") or ():
                value = value or str(group["options"][0].get("value") or "")
            if element.get("action_id") in _HIT_ACTIONS and value:
                question_id = question_of_value(value)
                stored = await find_question(context, question_id)
                return {hit_value(question_id, number): file_name(uri) for number, uri in enumerate(stored.uris)}
    return {}


async def open_modal(client: AsyncWebClient, trigger: str, request: ImageRequest, note: str = "") -> None:
    """Open the modal that asks for an image.

    Args:
        note: why the person has to choose one.

    Raises:
        FindimgError: Slack refused, mostly because a modal must open within 3 seconds of a click or command.
    """
    try:
        await client.views_open(trigger_id=trigger, view=choose_image_modal(request, note))
    except SlackApiError as error:
        raise access_error(error) from error


async def find_question(context: AsyncBoltContext, question_id: str) -> StoredQuestion:
    """Return the stored question of a button, if the person who clicks may see its answer.

    Raises:
        QueryError: the question has expired, or belongs to somebody else.
    """
    services = services_of(context)
    stored = await asyncio.to_thread(services.store.find_question, question_id)
    if stored is None or stored.team != team_of(context) or stored.user not in ("", context.user_id):
        raise QueryError("That answer has expired. Ask again.")
    return stored


def thread_of_click(body: dict[str, Any]) -> str | None:
    """Return the thread that contains the clicked message, None when it is not in a thread."""
    container = body["container"]
    thread = container.get("thread_ts") or body.get("message", {}).get("thread_ts")
    # The first message of a thread is shown in the channel.
    return str(thread) if thread and thread != container.get("message_ts") else None


def reply_to_errors(
    body: dict[str, Any], client: AsyncWebClient, respond: AsyncRespond
) -> EphemeralReply | PrivateReply:
    """Return a reply for the errors of a click whose answer is sent another way."""
    user = body["user"]["id"]
    channel = body.get("channel", {}).get("id", "")
    if not channel:  # a click in the Home tab
        return PrivateReply(client, "", user)
    return EphemeralReply(respond, client, channel, user, thread_of_click(body), answered=True)


def reply_to_click(
    body: dict[str, Any], client: AsyncWebClient, respond: AsyncRespond, replace: bool = False
) -> EphemeralReply | ConversationReply:
    """Return the reply to a click, in the thread of the clicked message.

    Args:
        replace: whether the answer replaces the message with the button.
    """
    container, user, channel = body["container"], body["user"]["id"], body["channel"]["id"]
    thread = thread_of_click(body)
    public = not container.get("is_ephemeral")
    if public and (replace or is_direct(channel)):
        instead_of = container["message_ts"] if replace else None
        return ConversationReply(client, channel, user, thread, instead_of, respond=respond)
    return EphemeralReply(respond, client, channel, user, thread, replace)


def is_direct(channel: str) -> bool:
    """Return whether a channel id is that of a direct message with the bot."""
    return channel.startswith("D")
