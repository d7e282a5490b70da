"""`Find similar` below an image's tags."""

from dataclasses import replace

from slack_bolt.kwargs_injection.async_args import AsyncArgs

from findimg_bot.listeners.clicks import find_question, reply_to_click
from findimg_bot.listeners.request_context import services_of, team_of
from findimg_bot.questions import parse_question


async def find_similar(args: AsyncArgs) -> None:
    """Answer the person who clicked with images like the tagged one."""
    await args.ack()
    services = services_of(args.context)
    reply = reply_to_click(args)
    async with services.handling_request("similar", reply):
        stored = await find_question(args.context, args.payload["value"])
        question = replace(stored.question, command="/similar", text="", like=parse_question(stored.question).like)
        await services.queries.search(args.client, team_of(args.context), reply, question)
