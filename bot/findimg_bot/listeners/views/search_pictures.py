"""`Find` in the modal `Find a picture`."""

from slack_bolt.kwargs_injection.async_args import AsyncArgs

from findimg_bot.listeners.find_picture_modal import answer_in_modal
from findimg_bot.slack.blocks.elements import small_text
from findimg_bot.slack.blocks.modals.find_picture import find_picture_modal
from findimg_bot.slack.replies import SEARCHING


async def search_pictures(args: AsyncArgs) -> None:
    """Keep the modal open, and show the found pictures in it."""
    await args.ack(response_action="update", view=find_picture_modal([small_text(SEARCHING)]))
    await answer_in_modal(args.payload, args.context, args.client)
