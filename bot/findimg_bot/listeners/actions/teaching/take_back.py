"""`Undo` below a confirmation, `Undo everything` of one person, and `Erase what I taught`."""

from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.context.async_context import AsyncBoltContext
from slack_bolt.context.respond.async_respond import AsyncRespond
from slack_sdk.web.async_client import AsyncWebClient

from findimg.terminal import counted
from findimg_bot.listeners.clicks import reply_to_click
from findimg_bot.listeners.request_context import person_of, services_of
from findimg_bot.slack.blocks.message import text_message


async def undo_lesson(
    ack: AsyncAck,
    action: dict[str, Any],
    body: dict[str, Any],
    context: AsyncBoltContext,
    client: AsyncWebClient,
    respond: AsyncRespond,
) -> None:
    """Take back what the confirmed lesson taught; the value is the lesson's id."""
    await ack()
    services = services_of(context)
    reply = reply_to_click(body, client, respond)
    async with services.handling_request("undo", reply):
        count = await services.teaching.undo(person_of(context), str(action["value"]))
        await reply.send(text_message(_taken_back(count)))


async def undo_person(
    ack: AsyncAck,
    action: dict[str, Any],
    body: dict[str, Any],
    context: AsyncBoltContext,
    client: AsyncWebClient,
    respond: AsyncRespond,
) -> None:
    """Take back everything that a person taught; the value is the person's name in events."""
    await ack()
    services = services_of(context)
    reply = reply_to_click(body, client, respond)
    async with services.handling_request("undo", reply):
        count = await services.teaching.undo_person(person_of(context), str(action["value"]))
        await reply.send(text_message(_taken_back(count)))


async def erase_own(
    ack: AsyncAck, body: dict[str, Any], context: AsyncBoltContext, client: AsyncWebClient, respond: AsyncRespond
) -> None:
    """Delete everything that the person who clicked taught."""
    await ack()
    services = services_of(context)
    reply = reply_to_click(body, client, respond)
    async with services.handling_request("erase", reply):
        count = await services.teaching.erase_own(person_of(context))
        await reply.send(text_message(f"Deleted {counted(count, 'example')} of yours. Nothing of them is left."))


def _taken_back(count: int) -> str:
    return f"Took back {counted(count, 'example')}. Searches no longer use them."
