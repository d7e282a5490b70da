"""`/findimg cat sofa`: find images by what they show. With `off` or `on` alone, `switch_indexing.py` answers."""

from slack_bolt.kwargs_injection.async_args import AsyncArgs

from findimg_bot.listeners.commands.acknowledge_or_help import acknowledge_or_help
from findimg_bot.listeners.commands.switch_indexing import SWITCHES, switch_indexing
from findimg_bot.listeners.request_context import services_of, team_of
from findimg_bot.service.question_from_message import read_search_question
from findimg_bot.slack.message_text import read_message
from findimg_bot.slack.replies import EphemeralReply


async def findimg(args: AsyncArgs) -> None:
    """Search, or switch indexing off or on in the channel."""
    word = str(args.payload.get("text") or "").strip().lower()
    if word in SWITCHES:
        await switch_indexing(args, is_off=word == "off")
    else:
        await _search(args)


async def _search(args: AsyncArgs) -> None:
    """Answer one person with thumbnails and buttons."""
    command = args.payload
    message = read_message(command.get("text", ""))
    if not await acknowledge_or_help(args.ack, "/findimg", message, needs_text=True):
        return
    services = services_of(args.context)
    user, channel = command["user_id"], command["channel_id"]
    reply = EphemeralReply(args.respond, args.client, channel, user)
    async with services.handling_request("findimg", reply):
        question = await read_search_question(services.uploads, args.client, message, user, channel)
        await services.queries.search(args.client, team_of(args.context), reply, question)
