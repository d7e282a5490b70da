"""The menu below an answer: what to do with one of its images."""

from collections.abc import Awaitable, Callable
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
from findimg_bot.slack.blocks.button_values import HitTask, read_suffix

_ANSWERS: dict[str, Callable[[Click, str], Awaitable[None]]] = {
    HitTask.SIMILAR: answer_similar,
    HitTask.TAG: answer_tags,
    HitTask.SHARE: share_hit,
    HitTask.OPEN: answer_link,
    HitTask.COPIES: answer_copies,
    HitTask.TEXT: answer_text,
}


async def choose_hit(
    ack: AsyncAck,
    action: dict[str, Any],
    body: dict[str, Any],
    context: AsyncBoltContext,
    client: AsyncWebClient,
    respond: AsyncRespond,
) -> None:
    """Do what the person chose; the value is `<question id>.<number>.<task>`."""
    await ack()
    choice, task = read_suffix(str(action["selected_option"]["value"]))
    if answer := _ANSWERS.get(task):
        await answer(Click(body, context, client, respond), choice)
