"""`Find a picture`, in the menu of shortcuts: opens a modal for a search from anywhere in Slack."""

from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.context.async_context import AsyncBoltContext
from slack_sdk.web.async_client import AsyncWebClient

from findimg_bot.listeners.request_context import services_of
from findimg_bot.slack.blocks.modals.find_picture import find_picture_modal
from findimg_bot.slack.replies import PrivateReply


async def find_picture(
    ack: AsyncAck, shortcut: dict[str, Any], context: AsyncBoltContext, client: AsyncWebClient
) -> None:
    """Open the modal. If Slack refuses, the person gets the reason as a direct message."""
    await ack()
    async with services_of(context).handling_request("find_picture", PrivateReply(client, "", shortcut["user"]["id"])):
        await client.views_open(trigger_id=shortcut["trigger_id"], view=find_picture_modal())
