"""Enter in the text field of the modal `Find a picture`."""

from slack_bolt.kwargs_injection.async_args import AsyncArgs

from findimg_bot.listeners.find_picture_modal import answer_in_modal


async def search_in_modal(args: AsyncArgs) -> None:
    """Show the pictures for the new words in the modal."""
    await args.ack()
    await answer_in_modal(args.body["view"], args.context, args.client)
