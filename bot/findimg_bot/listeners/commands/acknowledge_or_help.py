"""Acknowledges a command, or answers it with help when it asks for help or for nothing."""

from slack_bolt.context.ack.async_ack import AsyncAck

from findimg_bot.slack.blocks.guidance import SMALL_TALK, help_message
from findimg_bot.slack.blocks.message import text_message
from findimg_bot.slack.message_text import MessageText


async def acknowledge_or_help(ack: AsyncAck, command: str, message: MessageText, needs_text: bool = False) -> bool:
    """Acknowledge a command, with help or a friendly line if that answers it. Return whether it needs an answer.

    Args:
        message: the text after the command.
        needs_text: whether the command means nothing without a text or a link.
    """
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
