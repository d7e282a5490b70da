"""Buttons and menus.

What can be clicked beside images, and where a new choice is added (messages are in `slack/blocks/results/`):

- The menu `Choose a picture…` below a results page is about one hit. Add a `HitTask` in `button_values.py`, offer it in
  `_controls` of `results_message.py`, answer it in `hit_actions.py`, and name the answer in `_ANSWERS` of
  `choose_hit.py`. It needs no action id.
- The buttons beside that menu, such as `Next`, are about the whole page. Their value is the id of the stored question.
  Add the button in `_controls`, and a listener here.
- The buttons on a card are about one hit. Their value is a `hit_value`. Add the button in `_card` of
  `results_message.py`, and a listener here that calls a function of `hit_actions.py`.
- The buttons below a single image (shared, or the preview of a link) are the same. Add the button in `single_image.py`.

The action id of an element is a constant of the module in `slack/blocks/` that shows the element. If several modules
show it, one of them has the constant: `which_image.py` has `CHOOSE_HIT`, and `single_image.py` has `MORE_LIKE_THIS`.
"""

from slack_bolt.async_app import AsyncApp

from findimg_bot.listeners.actions import teaching
from findimg_bot.listeners.actions.ask_for_image import ask_for_image
from findimg_bot.listeners.actions.choose_file import choose_file
from findimg_bot.listeners.actions.choose_hit import choose_hit
from findimg_bot.listeners.actions.find_similar import find_similar
from findimg_bot.listeners.actions.more_like_this import more_like_this
from findimg_bot.listeners.actions.open_image import open_image
from findimg_bot.listeners.actions.search_in_modal import search_in_modal
from findimg_bot.listeners.actions.share_anyway import share_anyway
from findimg_bot.listeners.actions.turn_modal_page import turn_modal_page
from findimg_bot.listeners.actions.turn_page import turn_page
from findimg_bot.slack.blocks.modals.choose_image import CHOOSE_FOR_SIMILAR, CHOOSE_TO_TAG
from findimg_bot.slack.blocks.modals.find_picture import NEXT_IN_MODAL, PREVIOUS_IN_MODAL, SEARCH_IN_MODAL
from findimg_bot.slack.blocks.results.results_message import CHANGE_LAYOUT, NEXT, OPEN_IMAGE, PREVIOUS
from findimg_bot.slack.blocks.results.single_image import MORE_LIKE_THIS, SHARE_ANYWAY
from findimg_bot.slack.blocks.tags import FIND_SIMILAR
from findimg_bot.slack.blocks.which_image import CHOOSE_FILE, CHOOSE_HIT


def register(app: AsyncApp) -> None:
    """Register the buttons and menus with the app."""
    app.action(CHANGE_LAYOUT)(turn_page)
    app.action(CHOOSE_FILE)(choose_file)
    app.action(CHOOSE_FOR_SIMILAR)(ask_for_image)
    app.action(CHOOSE_HIT)(choose_hit)
    app.action(CHOOSE_TO_TAG)(ask_for_image)
    app.action(FIND_SIMILAR)(find_similar)
    app.action(MORE_LIKE_THIS)(more_like_this)
    app.action(NEXT)(turn_page)
    app.action(NEXT_IN_MODAL)(turn_modal_page)
    app.action(OPEN_IMAGE)(open_image)
    app.action(PREVIOUS)(turn_page)
    app.action(PREVIOUS_IN_MODAL)(turn_modal_page)
    app.action(SEARCH_IN_MODAL)(search_in_modal)
    app.action(SHARE_ANYWAY)(share_anyway)
    teaching.register(app)
