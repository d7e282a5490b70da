"""`Find pictures`, a step in Workflow Builder: takes words, and returns links to pictures."""

from typing import Any

from slack_bolt.context.async_context import AsyncBoltContext
from slack_bolt.context.complete.async_complete import AsyncComplete
from slack_bolt.context.fail.async_fail import AsyncFail

from findimg.errors import FindimgError, QueryError
from findimg_bot.service.answers import Question
from findimg_bot.service.errors import SlackAccessError, explain
from findimg_bot.service.query_service import QueryService
from findimg_bot.slack.blocks.text import file_name, plain
from findimg_bot.slack.message_text import read_message

_DEFAULT, _MOST = 5, 10  # pictures
_NO_LINKS = (
    "The pictures have no links. The operator of findimg can set FINDIMG_IMAGE_BASE_URL, or index pictures in S3."
)


async def find_pictures(
    inputs: dict[str, Any], context: AsyncBoltContext, complete: AsyncComplete, fail: AsyncFail
) -> None:
    """Return the best pictures for the words, or end the workflow with the reason why there are none."""
    service: QueryService = context["service"]
    try:
        with service.metrics.answering("workflow_step"):
            message = read_message(str(inputs.get("words") or ""))
            if message.intent != "query":
                raise QueryError("The step needs words for what the pictures show, such as: cat sofa.")
            count = max(1, min(_MOST, int(inputs.get("count") or _DEFAULT)))
            page = await service.find(Question("/findimg", message.text), count)
            links = await service.image_links(page.details)
            if not all(links):
                raise SlackAccessError(_NO_LINKS)
    except (FindimgError, ValueError) as error:
        await fail(explain(error))
        return
    lines = [f"{plain(file_name(each.hit.uri))}: {link}" for each, link in zip(page.details, links, strict=True)]
    found = page.results.total if page.results.total is not None else len(lines)
    await complete({"links": "\n".join(lines), "first_link": links[0] if links else "", "found": found})
