"""`Next`, `Previous` and `Grid` below a results page: another view of the same hits, in place of the message."""

from collections.abc import Callable
from dataclasses import replace

from slack_bolt.kwargs_injection.async_args import AsyncArgs

from findimg_bot.listeners.clicks import find_question, reply_to_click, reply_to_errors
from findimg_bot.listeners.request_context import services_of, team_of
from findimg_bot.questions import Layout
from findimg_bot.service.library_reader import PAGE
from findimg_bot.slack.blocks.results.results_message import CHANGE_LAYOUT, NEXT, PREVIOUS
from findimg_bot.state.store import StoredQuestion


async def turn_page(args: AsyncArgs) -> None:
    """Replace the message with the page or the layout that the button names."""
    await args.ack()
    services = services_of(args.context)
    reply = reply_to_click(args, replace=True)
    async with services.handling_request(args.payload["action_id"], reply_to_errors(args)):
        stored = _CHANGES[args.payload["action_id"]](await find_question(args.context, args.payload["value"]))
        await services.queries.search(args.client, team_of(args.context), reply, stored.question, stored.skip)


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
