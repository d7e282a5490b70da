"""Modals."""

from slack_bolt.async_app import AsyncApp

from findimg_bot.listeners.views.image import image
from findimg_bot.listeners.views.search_pictures import search_pictures
from findimg_bot.listeners.views.share_picture import share_picture
from findimg_bot.listeners.views.taught_name import taught_name
from findimg_bot.listeners.views.teach import teach
from findimg_bot.slack.blocks.picture_modal import SEARCH, SHARE
from findimg_bot.slack.blocks.taught import TAUGHT
from findimg_bot.slack.blocks.teach_modal import TEACH


def register(app: AsyncApp) -> None:
    """Register the modals with the app."""
    app.view("image")(image)
    app.view(SEARCH)(search_pictures)
    app.view(SHARE)(share_picture)
    app.view(TAUGHT)(taught_name)
    app.view(TEACH)(teach)
