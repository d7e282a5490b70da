"""What several listeners do alike: acknowledge, take a question up, find again what a button is about."""

import asyncio
from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.context.async_context import AsyncBoltContext
from slack_bolt.context.respond.async_respond import AsyncRespond
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from findimg.errors import QueryError
from findimg_bot.service.answers import Question
from findimg_bot.service.query_service import QueryService
from findimg_bot.service.questions import ask_about, ask_image, unescaped
from findimg_bot.slack.blocks import help_message, image_modal
from findimg_bot.slack.replies import EphemeralReply, Reply, ThreadReply
from findimg_bot.slack.uploads import File
from findimg_bot.state.store import StoredQuestion


def team_of(context: AsyncBoltContext) -> str:
    """The workspace that a request comes from, or the organisation where the app is installed for all of it."""
    result = context.authorize_result
    return str((result and result.team_id) or context.team_id or context.enterprise_id)


async def acknowledge(ack: AsyncAck, command: str, text: str, needs_text: bool = False) -> bool:
    """Acknowledges a command, with help where that is asked for; whether there is something left to answer."""
    if text.lower() == "help" or (needs_text and not text):
        shown = help_message(command)
        await ack(text=shown.text, blocks=list(shown.blocks), response_type="ephemeral")
        return False
    await ack()
    return True


async def answer_image_command(
    name: str,
    ack: AsyncAck,
    command: dict[str, Any],
    context: AsyncBoltContext,
    client: AsyncWebClient,
    respond: AsyncRespond,
) -> None:
    """Answers `/tag` and `/similar`; opens a modal where no image can be found."""
    text = unescaped(command.get("text", ""))
    if not await acknowledge(ack, name, text):
        return
    desk: QueryService = context["desk"]
    user, channel = command["user_id"], command["channel_id"]
    reply = EphemeralReply(respond, client, channel, user)
    async with desk.answering(name[1:], reply):
        asked = await ask_image(desk, client, name, text, user, channel)
        if asked is None:
            await open_modal(client, command["trigger_id"], name, channel, text)
        else:
            await answer_image(desk, client, team_of(context), reply, *asked)


async def answer_image(
    desk: QueryService, client: AsyncWebClient, team: str, reply: Reply, question: Question, file: File | None
) -> None:
    """Answers a question about an image: its tags, or images like it."""
    if question.command == "/tag":
        await desk.tag(team, reply, question, file)
    else:
        await desk.search(client, team, reply, question)


async def answer_uploaded(
    command: str, file: File, context: AsyncBoltContext, client: AsyncWebClient, reply: Reply, text: str = ""
) -> None:
    """Answers `/tag` or `/similar` about an image in Slack."""
    desk: QueryService = context["desk"]
    async with desk.answering(command[1:], reply):
        question = await ask_about(desk, client, Question(command, text), file)
        await answer_image(desk, client, team_of(context), reply, question, file)


async def open_modal(client: AsyncWebClient, trigger: str, command: str, channel: str, text: str = "") -> None:
    """Opens the modal that asks for an image.

    Raises:
        QueryError: it took too long: Slack lets a modal open for 3 seconds after what a person does.
    """
    try:
        await client.views_open(trigger_id=trigger, view=image_modal(command, channel, text))
    except SlackApiError as error:
        raise QueryError(f"There is no image here yet. Upload one, or use `{command}` with a link to one.") from error


async def find_asked(context: AsyncBoltContext, name: str) -> StoredQuestion:
    """The question that a button was made for, if whoever clicks may see its answer.

    Raises:
        QueryError: it has expired, or is somebody else's.
    """
    desk: QueryService = context["desk"]
    asked = await asyncio.to_thread(desk.store.kept, name)
    if asked is None or asked.team != team_of(context) or asked.user not in ("", context.user_id):
        raise QueryError("That answer is too old for its buttons; ask again.")
    return asked


async def find_image(context: AsyncBoltContext, value: str) -> str:
    """The URI of the image that a button stands below.

    Raises:
        QueryError: the answer has expired, or is somebody else's.
    """
    name, _, number = value.rpartition(".")
    asked = await find_asked(context, name)
    if not number.isdecimal() or int(number) >= len(asked.uris):
        raise QueryError("That button belongs to no image; ask again.")
    return asked.uris[int(number)]


def excuse(body: dict[str, Any], client: AsyncWebClient, respond: AsyncRespond) -> EphemeralReply:
    """The way back from a button whose answer goes elsewhere: it says what goes wrong, and nothing else."""
    return EphemeralReply(respond, client, body["channel"]["id"], body["user"]["id"], answered=True)


def reply_to_click(
    body: dict[str, Any], client: AsyncWebClient, respond: AsyncRespond, replace: bool = False
) -> EphemeralReply | ThreadReply:
    """The way back from a button.

    Args:
        replace: whether the answer takes the place of the message with the button.
    """
    container, user, channel = body["container"], body["user"]["id"], body["channel"]["id"]
    if replace and not container.get("is_ephemeral"):
        message = body["message"]
        thread = message.get("thread_ts", message["ts"])
        return ThreadReply(client, channel, user, thread, instead_of=message["ts"])
    return EphemeralReply(respond, client, channel, user, replace=replace)
