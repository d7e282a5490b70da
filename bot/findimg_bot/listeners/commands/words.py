"""`/words dog`: find words with a similar meaning."""

from dataclasses import replace
from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.context.async_context import AsyncBoltContext
from slack_bolt.context.respond.async_respond import AsyncRespond
from slack_sdk.web.async_client import AsyncWebClient

from findimg_bot.listeners.commands.acknowledge import acknowledge
from findimg_bot.listeners.request_context import services_of
from findimg_bot.slack.message_text import read_message
from findimg_bot.slack.replies import EphemeralReply


async def words(
    ack: AsyncAck, command: dict[str, Any], context: AsyncBoltContext, client: AsyncWebClient, respond: AsyncRespond
) -> None:
    """Answer one person with the nearest words."""
    message = read_message(command.get("text", ""))
    # Any other text is a word to look up, also "hello" and "it".
    message = replace(message, intent="query" if message.text and message.intent != "help" else "help")
    if not await acknowledge(ack, "/words", message):
        return
    services = services_of(context)
    reply = EphemeralReply(respond, client, command["channel_id"], command["user_id"])
    async with services.handling_request("words", reply):
        await services.queries.show_related_words(reply, message.text)
