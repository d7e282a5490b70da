"""`Another image…` and the Home tab's buttons: opens the modal to choose an image.

`views/choose_image.py` handles the submitted modal.
"""

from slack_bolt.kwargs_injection.async_args import AsyncArgs

from findimg_bot.listeners.clicks import reply_to_errors, thread_of_click
from findimg_bot.listeners.image_questions import open_image_modal
from findimg_bot.listeners.request_context import services_of
from findimg_bot.slack.blocks.modals.choose_image import ImageRequest


async def ask_for_image(args: AsyncArgs) -> None:
    """Open the modal for the command that the button names."""
    await args.ack()
    services = services_of(args.context)
    channel = args.body.get("channel", {}).get("id", "")
    async with services.handling_request("modal", reply_to_errors(args)):
        command = "/similar" if args.payload["value"] == "/similar" else "/tag"
        thread = thread_of_click(args.body) if channel else None
        await open_image_modal(args.client, args.body["trigger_id"], ImageRequest(command, channel, thread=thread))
