"""`Find pictures`, a step in Workflow Builder: takes words, and returns links to pictures."""

import logging
from typing import Any

from slack_bolt.context.async_context import AsyncBoltContext
from slack_bolt.context.complete.async_complete import AsyncComplete
from slack_bolt.context.fail.async_fail import AsyncFail

from findimg.errors import FindimgError, QueryError
from findimg_bot.errors import SLACK_ERRORS, SlackAccessError, explain, slack_failure
from findimg_bot.listeners.request_context import services_of
from findimg_bot.questions import Question
from findimg_bot.service.library_reader import LibraryReader
from findimg_bot.slack.blocks.text import file_name, plain
from findimg_bot.slack.message_text import read_message
from findimg_bot.slack_objects import SlackObject

_DEFAULT, _MOST = 5, 10  # pictures
_NO_LINKS = (
    "The pictures have no links. The operator of findimg can set FINDIMG_IMAGE_BASE_URL, or index pictures in S3."
)
_log = logging.getLogger(__name__)


async def find_pictures(
    inputs: SlackObject, context: AsyncBoltContext, complete: AsyncComplete, fail: AsyncFail
) -> None:
    """Return the best pictures for the words, or end the workflow with the reason why there are none."""
    services = services_of(context)
    try:
        try:
            with services.metrics.measuring_request("workflow_step"):
                outputs = await _outputs(services.reader, inputs)
        except FindimgError as error:
            await fail(explain(error))
        else:
            await complete(outputs)
    except SLACK_ERRORS as error:
        _log.warning("A step of a workflow got no answer: %s", slack_failure(error))


async def _outputs(reader: LibraryReader, inputs: SlackObject) -> dict[str, Any]:
    message = read_message(str(inputs.get("words") or ""))
    if message.intent != "query":
        raise QueryError("The step needs words for what the pictures show, such as: cat sofa.")
    wanted = str(inputs.get("count") or "")
    count = max(1, min(_MOST, int(wanted))) if wanted.isdecimal() else _DEFAULT
    page = await reader.results_page(Question("/findimg", message.text), count=count)
    links = await reader.links_to_originals(page.details)
    if not all(links):
        raise SlackAccessError(_NO_LINKS)
    lines = [f"{plain(file_name(each.hit.uri))}: {link}" for each, link in zip(page.details, links, strict=True)]
    found = page.results.total if page.results.total is not None else len(lines)
    return {"links": "\n".join(lines), "first_link": links[0] if links else "", "found": found}
