"""Buttons that teach names, and buttons of taught names."""

from slack_bolt.async_app import AsyncApp

from findimg_bot.listeners.actions.teaching.examples import open_taught, remove_name, undo_last
from findimg_bot.listeners.actions.teaching.like_ticked import like_ticked
from findimg_bot.listeners.actions.teaching.lists import list_history, list_taught, list_teachers
from findimg_bot.listeners.actions.teaching.open_modal import teach
from findimg_bot.listeners.actions.teaching.search import search_to_teach
from findimg_bot.listeners.actions.teaching.take_back import erase_own, undo_lesson, undo_person
from findimg_bot.listeners.actions.teaching.turn_page import turn_page


def register(app: AsyncApp) -> None:
    """Register the buttons with the app."""
    app.action("erase_own")(erase_own)
    app.action("like_ticked")(like_ticked)
    app.action("list_history")(list_history)
    app.action("list_taught")(list_taught)
    app.action("list_teachers")(list_teachers)
    app.action("next_taught")(list_taught)
    app.action("next_to_teach")(turn_page)
    app.action("open_taught")(open_taught)
    app.action("previous_taught")(list_taught)
    app.action("previous_to_teach")(turn_page)
    app.action("remove_name")(remove_name)
    app.action("search_to_teach")(search_to_teach)
    app.action("teach")(teach)
    app.action("undo_last")(undo_last)
    app.action("undo_lesson")(undo_lesson)
    app.action("undo_person")(undo_person)
