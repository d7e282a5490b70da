"""`Find a picture`, in the menu of shortcuts: opens a modal for a search from anywhere in Slack."""

from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck
from slack_sdk.web.async_client import AsyncWebClient

from findimg_bot.slack.blocks.modals.find_picture import find_picture_modal


async def find_picture(ack: AsyncAck, shortcut: dict[str, Any], client: AsyncWebClient) -> None:
    """Open the modal."""
    await ack()
    await client.views_open(trigger_id=shortcut["trigger_id"], view=find_picture_modal())
