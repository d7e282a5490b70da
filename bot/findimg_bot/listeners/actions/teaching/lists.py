"""Buttons of the list of taught names, of its pages, and of the lists of people and of changes."""

from slack_bolt.kwargs_injection.async_args import AsyncArgs

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


async def list_taught(args: AsyncArgs) -> None:
    """Show a page of the taught names, which replaces another page; the value is the number of names before it."""
    await args.ack()
    services = services_of(args.context)
    replace = args.payload["action_id"] in (NEXT_TAUGHT, PREVIOUS_TAUGHT)
    reply = reply_to_click(args, replace=replace)
    async with services.handling_request("taught", reply):
        skip = read_skip(str(args.payload["value"]))
        await reply.send(taught_list_message(await services.teaching.list_names(), skip, team_of(args.context)))


async def list_teachers(args: AsyncArgs) -> None:
    """Show who taught names."""
    await args.ack()
    services = services_of(args.context)
    person = person_of(args.context)
    reply = reply_to_click(args)
    async with services.handling_request("taught", reply):
        await reply.send(
            people_message(await services.teaching.activities(), team_of(args.context), person.qualified_id)
        )


async def list_history(args: AsyncArgs) -> None:
    """Show what people taught and took back."""
    await args.ack()
    services = services_of(args.context)
    reply = reply_to_click(args)
    async with services.handling_request("taught", reply):
        events = await services.teaching.history(MOST_EVENTS + 1)
        await reply.send(history_message(events, team_of(args.context)))
