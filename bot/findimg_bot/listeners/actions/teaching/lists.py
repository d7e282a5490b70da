"""Buttons of the list of taught names, of its pages, and of the lists of people and of changes."""

from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.context.async_context import AsyncBoltContext
from slack_bolt.context.respond.async_respond import AsyncRespond
from slack_sdk.web.async_client import AsyncWebClient

from findimg_bot.listeners.clicks import reply_to_click
from findimg_bot.listeners.request_context import person_of, services_of, team_of
from findimg_bot.slack.blocks.taught_names import (
    MOST_EVENTS,
    NEXT_TAUGHT,
    PREVIOUS_TAUGHT,
    history_message,
    people_message,
    read_skip,
    taught_list_message,
)


async def list_taught(
    ack: AsyncAck,
    action: dict[str, Any],
    body: dict[str, Any],
    context: AsyncBoltContext,
    client: AsyncWebClient,
    respond: AsyncRespond,
) -> None:
    """Show a page of the taught names, which replaces another page; the value is the number of names before it."""
    await ack()
    services = services_of(context)
    replace = action["action_id"] in (NEXT_TAUGHT, PREVIOUS_TAUGHT)
    reply = reply_to_click(body, client, respond, replace=replace)
    async with services.handling_request("taught", reply):
        skip = read_skip(str(action["value"]))
        await reply.send(taught_list_message(await services.teaching.list_names(), skip, team_of(context)))


async def list_teachers(
    ack: AsyncAck, body: dict[str, Any], context: AsyncBoltContext, client: AsyncWebClient, respond: AsyncRespond
) -> None:
    """Show who taught names."""
    await ack()
    services = services_of(context)
    person = person_of(context)
    reply = reply_to_click(body, client, respond)
    async with services.handling_request("taught", reply):
        await reply.send(people_message(await services.teaching.activities(), team_of(context), person.qualified_id))


async def list_history(
    ack: AsyncAck, body: dict[str, Any], context: AsyncBoltContext, client: AsyncWebClient, respond: AsyncRespond
) -> None:
    """Show what people taught and took back."""
    await ack()
    services = services_of(context)
    reply = reply_to_click(body, client, respond)
    async with services.handling_request("taught", reply):
        events = await services.teaching.history(MOST_EVENTS + 1)
        await reply.send(history_message(events, team_of(context)))
