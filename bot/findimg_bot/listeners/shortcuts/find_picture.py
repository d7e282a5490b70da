"""`Find a picture`, in the menu of shortcuts: opens a modal for a search from anywhere in Slack."""

from slack_bolt.kwargs_injection.async_args import AsyncArgs

from findimg_bot.listeners.request_context import services_of
from findimg_bot.slack.blocks.modals.find_picture import find_picture_modal
from findimg_bot.slack.replies import PrivateReply


async def find_picture(args: AsyncArgs) -> None:
    """Open the modal. If Slack refuses, the person gets the reason as a direct message."""
    shortcut = args.payload
    await args.ack()
    async with services_of(args.context).handling_request(
        "find_picture", PrivateReply(args.client, "", shortcut["user"]["id"])
    ):
        await args.client.views_open(trigger_id=shortcut["trigger_id"], view=find_picture_modal())
