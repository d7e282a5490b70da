"""`More like this` below one image."""

from slack_bolt.kwargs_injection.async_args import AsyncArgs

from findimg_bot.listeners.actions.hit_actions import answer_similar


async def more_like_this(args: AsyncArgs) -> None:
    """Answer the person who clicked with images like this one."""
    await args.ack()
    await answer_similar(args, args.payload["value"])
