"""Functions that Slack runs: a step in a workflow, and the search of Enterprise plans."""

from slack_bolt.async_app import AsyncApp

from findimg_bot.listeners.functions.find_pictures import find_pictures
from findimg_bot.listeners.functions.search import search

_SEARCH_SECONDS = 10  # that Slack waits for the results of a search


def register(app: AsyncApp) -> None:
    """Register the functions with the app."""
    app.function("find_pictures")(find_pictures)
    # Slack takes the results of a search only before the acknowledgement.
    app.function("search", auto_acknowledge=False, ack_timeout=_SEARCH_SECONDS)(search)
