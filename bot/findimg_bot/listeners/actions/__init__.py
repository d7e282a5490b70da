"""Buttons and menus."""

from slack_bolt.async_app import AsyncApp

from findimg_bot.listeners.actions import teaching
from findimg_bot.listeners.actions.choose_file import choose_file
from findimg_bot.listeners.actions.choose_hit import choose_hit
from findimg_bot.listeners.actions.choose_image import choose_image
from findimg_bot.listeners.actions.find_similar import find_similar
from findimg_bot.listeners.actions.more_like_this import more_like_this
from findimg_bot.listeners.actions.open_image import open_image
from findimg_bot.listeners.actions.search_in_modal import search_in_modal
from findimg_bot.listeners.actions.share_anyway import share_anyway
from findimg_bot.listeners.actions.turn_modal_page import turn_modal_page
from findimg_bot.listeners.actions.turn_page import turn_page


def register(app: AsyncApp) -> None:
    """Register the buttons and menus with the app."""
    app.action("change_layout")(turn_page)
    app.action("choose_file")(choose_file)
    app.action("choose_for_similar")(choose_image)
    app.action("choose_hit")(choose_hit)
    app.action("choose_to_tag")(choose_image)
    app.action("find_similar")(find_similar)
    app.action("more_like_this")(more_like_this)
    app.action("next")(turn_page)
    app.action("next_in_modal")(turn_modal_page)
    app.action("open_image")(open_image)
    app.action("previous")(turn_page)
    app.action("previous_in_modal")(turn_modal_page)
    app.action("search_in_modal")(search_in_modal)
    app.action("share_anyway")(share_anyway)
    teaching.register(app)
