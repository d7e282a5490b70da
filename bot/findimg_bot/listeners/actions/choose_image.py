"""`Another image…` and the Home tab's buttons: a modal to choose an image."""

from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck
from slack_sdk.web.async_client import AsyncWebClient

from findimg_bot.listeners.common import open_modal


async def choose_image(ack: AsyncAck, action: dict[str, Any], body: dict[str, Any], client: AsyncWebClient) -> None:
    """Open the modal for the command that the button names."""
    await ack()
    channel = body.get("channel", {}).get("id", "")
    await open_modal(client, body["trigger_id"], "/similar" if action["value"] == "/similar" else "/tag", channel)
