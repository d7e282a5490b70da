"""`Open` on a card: a link to the original image."""

from slack_bolt.kwargs_injection.async_args import AsyncArgs

from findimg_bot.listeners.actions.hit_actions import answer_link


async def open_image(args: AsyncArgs) -> None:
    """Answer the person who clicked with a link to the original image."""
    await args.ack()
    await answer_link(args, args.payload["value"])
