"""Buttons that teach names, and buttons of taught names."""

from slack_bolt.async_app import AsyncApp

from findimg_bot.listeners.actions.teaching.like_ticked import like_ticked
from findimg_bot.listeners.actions.teaching.lists import list_history, list_taught, list_teachers
from findimg_bot.listeners.actions.teaching.search_to_teach import search_to_teach
from findimg_bot.listeners.actions.teaching.take_back import erase_own, undo_lesson, undo_person
from findimg_bot.listeners.actions.teaching.taught_name_modal import open_taught, remove_name, undo_last
from findimg_bot.listeners.actions.teaching.teach_from_results import teach_from_results
from findimg_bot.listeners.actions.teaching.turn_teach_page import turn_teach_page
from findimg_bot.slack.blocks.modals.taught_name import REMOVE_NAME, UNDO_LAST
from findimg_bot.slack.blocks.modals.teach_name import LIKE_TICKED, NEXT_TO_TEACH, PREVIOUS_TO_TEACH, SEARCH_TO_TEACH
from findimg_bot.slack.blocks.results.results_message import TEACH_FROM_RESULTS
from findimg_bot.slack.blocks.taught_names import (
    ERASE_OWN,
    LIST_HISTORY,
    LIST_TAUGHT,
    LIST_TEACHERS,
    NEXT_TAUGHT,
    OPEN_TAUGHT,
    PREVIOUS_TAUGHT,
    UNDO_LESSON,
    UNDO_PERSON,
)


def register(app: AsyncApp) -> None:
    """Register the buttons with the app."""
    app.action(ERASE_OWN)(erase_own)
    app.action(LIKE_TICKED)(like_ticked)
    app.action(LIST_HISTORY)(list_history)
    app.action(LIST_TAUGHT)(list_taught)
    app.action(LIST_TEACHERS)(list_teachers)
    app.action(NEXT_TAUGHT)(list_taught)
    app.action(NEXT_TO_TEACH)(turn_teach_page)
    app.action(OPEN_TAUGHT)(open_taught)
    app.action(PREVIOUS_TAUGHT)(list_taught)
    app.action(PREVIOUS_TO_TEACH)(turn_teach_page)
    app.action(REMOVE_NAME)(remove_name)
    app.action(SEARCH_TO_TEACH)(search_to_teach)
    app.action(TEACH_FROM_RESULTS)(teach_from_results)
    app.action(UNDO_LAST)(undo_last)
    app.action(UNDO_LESSON)(undo_lesson)
    app.action(UNDO_PERSON)(undo_person)
