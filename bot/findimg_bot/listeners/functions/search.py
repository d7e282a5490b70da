"""Slack's search on Enterprise plans asks for pictures, for everybody who searches."""

import logging
from typing import Any
from urllib.parse import urlencode

from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.context.async_context import AsyncBoltContext
from slack_bolt.context.complete.async_complete import AsyncComplete
from slack_bolt.context.fail.async_fail import AsyncFail

from findimg.errors import FindimgError, QueryError
from findimg_bot.errors import SLACK_ERRORS, explain, slack_failure
from findimg_bot.listeners.request_context import services_of, team_of
from findimg_bot.questions import Question
from findimg_bot.service.library_reader import LibraryReader
from findimg_bot.slack.blocks.results.hit_text import description, match_in_words
from findimg_bot.slack.blocks.results.results_page import ResultsPage
from findimg_bot.slack.blocks.text import file_name, plain
from findimg_bot.slack.limits import SEARCH_RESULTS
from findimg_bot.slack.message_text import read_message
from findimg_bot.slack_objects import SlackObject

_APP = "https://slack.com/app_redirect"
_log = logging.getLogger(__name__)


async def search(
    ack: AsyncAck,
    inputs: SlackObject,
    body: SlackObject,
    context: AsyncBoltContext,
    complete: AsyncComplete,
    fail: AsyncFail,
) -> None:
    """Return pictures for what a person searches for. A text that findimg does not understand finds nothing."""
    services = services_of(context)
    try:
        try:
            with services.metrics.measuring_request("search"):
                results = await _results(services.reader, str(inputs.get("query") or ""), body, context)
        except QueryError:
            await complete({"search_results": []})
        except FindimgError as error:
            await fail(explain(error))
        else:
            await complete({"search_results": results})
    except SLACK_ERRORS as error:
        _log.warning("A search in Slack got no results: %s", slack_failure(error))
    finally:
        await ack()


async def _results(
    reader: LibraryReader, query: str, body: SlackObject, context: AsyncBoltContext
) -> list[dict[str, Any]]:
    message = read_message(query)
    if message.intent != "query":
        return []
    visible = await reader.visible_channels()
    page = await reader.results_page(Question("/findimg", message.text), visible, SEARCH_RESULTS)
    links = await reader.links_to_originals(page.details)
    # A picture without a link leads to the app, where people can look at it.
    app = f"{_APP}?{urlencode({'app': body['api_app_id'], 'team': team_of(context)})}"
    return [_result(page, number, link or app) for number, link in enumerate(links)]


def _result(page: ResultsPage, number: int, link: str) -> dict[str, Any]:
    details = page.details[number]
    hit = details.hit
    return {
        "external_ref": {"id": hit.sha256},
        "title": plain(file_name(hit.uri)) or "image",
        "description": f"{match_in_words(hit, page)} · {description(details)}",
        "link": link,
        "date_updated": f"{hit.taken:%Y-%m-%d}" if hit.taken else page.manifest.created[:10],
        "content": ", ".join(details.tags),
    }
