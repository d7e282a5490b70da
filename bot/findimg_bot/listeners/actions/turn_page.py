"""`Next`, `Previous` and `Grid` below an answer: another view of the same hits, in place of the message."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.context.async_context import AsyncBoltContext
from slack_bolt.context.respond.async_respond import AsyncRespond
from slack_sdk.web.async_client import AsyncWebClient

from findimg_bot.listeners.clicks import find_question, reply_to_click, reply_to_errors
from findimg_bot.listeners.request_context import services_of, team_of
from findimg_bot.questions import Layout
from findimg_bot.service.library_reader import PAGE
from findimg_bot.slack.blocks.results.results_message import CHANGE_LAYOUT, NEXT, PREVIOUS
from findimg_bot.state.store import StoredQuestion


async def turn_page(
    ack: AsyncAck,
    action: dict[str, Any],
    body: dict[str, Any],
    context: AsyncBoltContext,
    client: AsyncWebClient,
    respond: AsyncRespond,
) -> None:
    """Replace the message with the page or the layout that the button names."""
    await ack()
    services = services_of(context)
    reply = reply_to_click(body, client, respond, replace=True)
    async with services.handling_request(action["action_id"], reply_to_errors(body, client, respond)):
        stored = _CHANGES[action["action_id"]](await find_question(context, action["value"]))
        await services.queries.search(client, team_of(context), reply, stored.question, stored.skip)


def _next(stored: StoredQuestion) -> StoredQuestion:
    return replace(stored, skip=stored.skip + PAGE)


def _previous(stored: StoredQuestion) -> StoredQuestion:
    return replace(stored, skip=max(0, stored.skip - PAGE))


def _change_layout(stored: StoredQuestion) -> StoredQuestion:
    layout: Layout = "list" if stored.question.layout == "grid" else "grid"
    return replace(stored, question=replace(stored.question, layout=layout))


_CHANGES: dict[str, Callable[[StoredQuestion], StoredQuestion]] = {
    NEXT: _next,
    PREVIOUS: _previous,
    CHANGE_LAYOUT: _change_layout,
}
