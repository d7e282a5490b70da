"""Buttons."""

from slack_bolt.async_app import AsyncApp

from findimg_bot.listeners.actions.choose_image import choose_image
from findimg_bot.listeners.actions.find_similar import find_similar
from findimg_bot.listeners.actions.more_like_this import more_like_this
from findimg_bot.listeners.actions.next_page import next_page
from findimg_bot.listeners.actions.open_image import open_image
from findimg_bot.listeners.actions.share import share


def register(app: AsyncApp) -> None:
    """Register the buttons with the app."""
    app.action("choose_for_similar")(choose_image)
    app.action("choose_to_tag")(choose_image)
    app.action("find_similar")(find_similar)
    app.action("more_like_this")(more_like_this)
    app.action("next")(next_page)
    app.action("open_image")(open_image)
    app.action("share")(share)
