"""`Find similar` in a message's menu."""

from slack_bolt.kwargs_injection.async_args import AsyncArgs

from findimg_bot.listeners.shortcuts.message_shortcut import answer_shortcut
from findimg_bot.slack.blocks.button_values import HitTask


async def find_similar(args: AsyncArgs) -> None:
    """Answer one person with images like the message's image."""
    await args.ack()
    await answer_shortcut(HitTask.SIMILAR, args)
