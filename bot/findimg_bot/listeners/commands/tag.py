"""`/tag`: name what an image shows."""

from slack_bolt.kwargs_injection.async_args import AsyncArgs

from findimg_bot.listeners.commands.image_command import answer_image_command


async def tag(args: AsyncArgs) -> None:
    """Answer one person with the tags of a linked, indexed, or chosen image, or the newest in the channel."""
    await answer_image_command("/tag", args)
