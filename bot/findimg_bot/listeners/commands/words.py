"""`/words dog`: find words with a similar meaning."""

from dataclasses import replace

from slack_bolt.kwargs_injection.async_args import AsyncArgs

from findimg_bot.listeners.commands.acknowledge_or_help import acknowledge_or_help
from findimg_bot.listeners.request_context import services_of
from findimg_bot.slack.message_text import read_message
from findimg_bot.slack.replies import EphemeralReply


async def words(args: AsyncArgs) -> None:
    """Answer one person with the nearest words."""
    command = args.payload
    message = read_message(command.get("text", ""))
    # Any other text is a word to look up, also "hello" and "it".
    message = replace(message, intent="query" if message.text and message.intent != "help" else "help")
    if not await acknowledge_or_help(args.ack, "/words", message):
        return
    services = services_of(args.context)
    reply = EphemeralReply(args.respond, args.client, command["channel_id"], command["user_id"])
    async with services.handling_request("words", reply):
        await services.queries.show_related_words(reply, message.text)
