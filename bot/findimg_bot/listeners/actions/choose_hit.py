"""The menu below a results page: what to do with one of its images."""

from collections.abc import Awaitable, Callable

from slack_bolt.kwargs_injection.async_args import AsyncArgs

from findimg_bot.listeners.actions.hit_actions import (
    answer_copies,
    answer_link,
    answer_similar,
    answer_tags,
    answer_text,
    share_hit,
)
from findimg_bot.slack.blocks.button_values import HitTask, read_suffix

_ANSWERS: dict[str, Callable[[AsyncArgs, str], Awaitable[None]]] = {
    HitTask.SIMILAR: answer_similar,
    HitTask.TAG: answer_tags,
    HitTask.SHARE: share_hit,
    HitTask.OPEN: answer_link,
    HitTask.COPIES: answer_copies,
    HitTask.TEXT: answer_text,
}


async def choose_hit(args: AsyncArgs) -> None:
    """Do what the person chose; the value is `<question id>.<number>.<task>`."""
    await args.ack()
    choice, task = read_suffix(str(args.payload["selected_option"]["value"]))
    if answer := _ANSWERS.get(task):
        await answer(args, choice)
