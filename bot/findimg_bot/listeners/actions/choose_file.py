"""The menu of a message's pictures: similar images to the chosen one."""

from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.context.async_context import AsyncBoltContext
from slack_bolt.context.respond.async_respond import AsyncRespond
from slack_sdk.web.async_client import AsyncWebClient

from findimg_bot.listeners.clicks import reply_to_click
from findimg_bot.listeners.image_questions import answer_files
from findimg_bot.listeners.request_context import services_of
from findimg_bot.slack.blocks.button_values import read_suffix
from findimg_bot.slack.pictures.image_files import find_file


async def choose_file(
    ack: AsyncAck,
    action: dict[str, Any],
    body: dict[str, Any],
    context: AsyncBoltContext,
    client: AsyncWebClient,
    respond: AsyncRespond,
) -> None:
    """Answer the person who chose, if that person may see the file; the value is `<file id>.<task>`."""
    await ack()
    services = services_of(context)
    file_id, task = read_suffix(str(action["selected_option"]["value"]))
    reply = reply_to_click(body, client, respond)
    async with services.handling_request("similar", reply):
        file = await find_file(client, file_id, body["user"]["id"], body["channel"]["id"])
        await answer_files(task, [file], context, client, reply)
