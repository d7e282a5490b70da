"""`Another image…` and the Home tab's buttons: a modal to choose an image."""

from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.context.async_context import AsyncBoltContext
from slack_bolt.context.respond.async_respond import AsyncRespond
from slack_sdk.web.async_client import AsyncWebClient

from findimg_bot.listeners.clicks import reply_to_errors, thread_of_click
from findimg_bot.listeners.image_questions import open_image_modal
from findimg_bot.listeners.request_context import services_of
from findimg_bot.slack.blocks.modals.choose_image import ImageRequest


async def choose_image(
    ack: AsyncAck,
    action: dict[str, Any],
    body: dict[str, Any],
    context: AsyncBoltContext,
    client: AsyncWebClient,
    respond: AsyncRespond,
) -> None:
    """Open the modal for the command that the button names."""
    await ack()
    services = services_of(context)
    channel = body.get("channel", {}).get("id", "")
    async with services.handling_request("modal", reply_to_errors(body, client, respond)):
        command = "/similar" if action["value"] == "/similar" else "/tag"
        thread = thread_of_click(body) if channel else None
        await open_image_modal(client, body["trigger_id"], ImageRequest(command, channel, thread=thread))
