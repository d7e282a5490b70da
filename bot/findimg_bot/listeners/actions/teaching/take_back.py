"""`Undo` below a confirmation, `Undo everything` of one person, and `Erase what I taught`."""

from slack_bolt.kwargs_injection.async_args import AsyncArgs

from findimg.terminal import counted
from findimg_bot.listeners.clicks import reply_to_click
from findimg_bot.listeners.request_context import person_of, services_of
from findimg_bot.slack.blocks.message import text_message


async def undo_lesson(args: AsyncArgs) -> None:
    """Take back what the confirmed lesson taught; the value is the lesson's id."""
    await args.ack()
    services = services_of(args.context)
    reply = reply_to_click(args)
    async with services.handling_request("undo", reply):
        count = await services.teaching.undo(person_of(args.context), str(args.payload["value"]))
        await reply.send(text_message(_taken_back(count)))


async def undo_person(args: AsyncArgs) -> None:
    """Take back everything that a person taught; the value is the person's name in events."""
    await args.ack()
    services = services_of(args.context)
    reply = reply_to_click(args)
    async with services.handling_request("undo", reply):
        count = await services.teaching.undo_person(person_of(args.context), str(args.payload["value"]))
        await reply.send(text_message(_taken_back(count)))


async def erase_own(args: AsyncArgs) -> None:
    """Delete everything that the person who clicked taught."""
    await args.ack()
    services = services_of(args.context)
    reply = reply_to_click(args)
    async with services.handling_request("erase", reply):
        count = await services.teaching.erase_own(person_of(args.context))
        await reply.send(text_message(f"Deleted {counted(count, 'example')} of yours. Nothing of them is left."))


def _taken_back(count: int) -> str:
    return f"Took back {counted(count, 'example')}. Searches no longer use them."
