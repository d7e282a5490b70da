"""Submitted modals.

`slack/blocks/modals/` builds the modals, and has the callback_id of each beside it. Buttons in a modal are actions.
"""

from slack_bolt.async_app import AsyncApp

from findimg_bot.listeners.views.choose_image import choose_image
from findimg_bot.listeners.views.search_pictures import search_pictures
from findimg_bot.listeners.views.share_picture import share_picture
from findimg_bot.listeners.views.taught_name import taught_name
from findimg_bot.listeners.views.teach_name import teach_name
from findimg_bot.slack.blocks.modals.choose_image import CHOOSE_IMAGE
from findimg_bot.slack.blocks.modals.find_picture import SEARCH, SHARE
from findimg_bot.slack.blocks.modals.taught_name import TAUGHT
from findimg_bot.slack.blocks.modals.teach_name import TEACH


def register(app: AsyncApp) -> None:
    """Register the modals with the app."""
    app.view(CHOOSE_IMAGE)(choose_image)
    app.view(SEARCH)(search_pictures)
    app.view(SHARE)(share_picture)
    app.view(TAUGHT)(taught_name)
    app.view(TEACH)(teach_name)
