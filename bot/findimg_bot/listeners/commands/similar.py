"""`/similar`: find images like one."""

from slack_bolt.kwargs_injection.async_args import AsyncArgs

from findimg_bot.listeners.commands.image_command import answer_image_command


async def similar(args: AsyncArgs) -> None:
    """Answer one person with images like a linked, indexed, or chosen one, or the newest in the channel."""
    await answer_image_command("/similar", args)
