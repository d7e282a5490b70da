"""The menu below an answer: what to do with one of its images."""

from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.context.async_context import AsyncBoltContext
from slack_bolt.context.respond.async_respond import AsyncRespond
from slack_sdk.web.async_client import AsyncWebClient

from findimg_bot.listeners.actions.hit_actions import (
    Click,
    answer_copies,
    answer_link,
    answer_similar,
    answer_tags,
    answer_text,
    share_hit,
)

_ANSWERS = {
    "similar": answer_similar,
    "tag": answer_tags,
    "share": share_hit,
    "open": answer_link,
    "copies": answer_copies,
    "text": answer_text,
}


async def choose_hit(
    ack: AsyncAck,
    action: dict[str, Any],
    body: dict[str, Any],
    context: AsyncBoltContext,
    client: AsyncWebClient,
    respond: AsyncRespond,
) -> None:
    """Do what the person chose; the value is `<question id>.<number>.<what>`."""
    await ack()
    choice, _, what = str(action["selected_option"]["value"]).rpartition(".")
    if answer := _ANSWERS.get(what):
        await answer(Click(body, context, client, respond), choice)
