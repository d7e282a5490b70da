"""The global shortcut `Find a picture`, in Socket Mode and over HTTP."""

import pytest

from tests.bot.person import Json, images, until, words
from tests.bot.team import Team

pytestmark = pytest.mark.slow


@pytest.fixture
def team(equipped: Team) -> Team:
    """Return a workspace whose app has all surfaces."""
    return equipped


def test_person_finds_and_shares_a_picture(team: Team) -> None:
    person = team.person
    channel = person.channel()
    modal = _search(team, "cat")
    assert modal["callback_id"] == "share_picture"
    assert "cat.png" in words(modal)
    assert images(modal)
    inputs = {block["block_id"]: block["element"] for block in modal["blocks"] if block["type"] == "input"}
    chosen = inputs["picture"]["options"][0]
    assert "cat.png" in chosen["text"]["text"]
    person.ask(
        "submit",
        view_id=modal["id"],
        values={
            "words": {"search_in_modal": {"value": "cat"}},
            "picture": {"picture": {"selected_option": chosen}},
            "conversation": {"channel": {"selected_conversation": channel}},
        },
    )
    shared = person.wait(channel, lambda message: "Shared image" in message["text"])
    assert "cat.png" in words(shared)
    assert images(shared)
    assert person.state()["modal"] is None


def test_picture_is_shared_where_the_bot_is_no_member(team: Team) -> None:
    person, workspace = team.person, team.slack.workspace
    private = team.slack.call(workspace.team.add_channel, f"private-{team.mode}", private=True, bot=False)
    modal = _search(team, "cat")
    element = next(block["element"] for block in modal["blocks"] if block.get("block_id") == "picture")
    person.ask(
        "submit",
        view_id=modal["id"],
        values={
            "words": {"search_in_modal": {"value": "cat"}},
            "picture": {"picture": {"selected_option": element["options"][0]}},
            "conversation": {"channel": {"selected_conversation": private.id}},
        },
    )
    assert person.wait(private.id, lambda message: "Shared image" in message["text"])


def test_enter_searches_again_in_the_open_modal(team: Team) -> None:
    modal = _search(team, "cat")
    team.person.ask(
        "action",
        view_id=modal["id"],
        block_id="words",
        action_id="search_in_modal",
        value="dog",
        values={"words": {"search_in_modal": {"value": "dog"}}},
    )
    again = until(lambda: (view := team.person.state()["modal"]) and "dog" in words(view) and view)
    assert again["id"] == modal["id"]
    assert "dalmatian.jpg" in words(again)


def test_words_that_ask_nothing_are_explained_in_the_modal(team: Team) -> None:
    modal = _search(team, "thanks")
    assert modal["callback_id"] == "find_picture"
    assert "Type what a picture shows" in words(modal)


def _search(team: Team, text: str) -> Json:
    """Open the modal, search, and return the modal with its answer."""
    person = team.person
    before = (person.state()["modal"] or {}).get("id")
    person.ask("global_shortcut", callback_id="find_picture")
    opened = until(lambda: (view := person.state()["modal"]) and view["id"] != before and view)
    assert opened["submit"]["text"] == "Find"
    person.ask("submit", view_id=opened["id"], values={"words": {"search_in_modal": {"value": text}}})

    def answered() -> Json | None:
        view = person.state()["modal"]
        shown = view and len(view["blocks"]) > 1 and "Searching" not in words(view)
        return dict(view) if shown else None

    return dict(until(answered))
