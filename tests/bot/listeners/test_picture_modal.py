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


def test_pages_of_the_modal_turn_both_ways(team: Team) -> None:
    modal = _search(team, "animal")
    assert "1 to 8 of" in words(modal)
    assert "Previous" not in _buttons(modal)
    second = _turn(team, modal, "next_in_modal", "9 to ")
    assert set(_choices(second)).isdisjoint(_choices(modal))
    assert "Previous" in _buttons(second)
    again = _turn(team, second, "previous_in_modal", "1 to 8 of")
    assert _choices(again) == _choices(modal)
    assert again["id"] == modal["id"]


def test_channel_shared_with_others_is_not_offered(team: Team) -> None:
    workspace = team.slack.workspace
    channel = team.slack.call(workspace.team.add_channel, f"partners-{team.mode}")
    team.slack.call(workspace.team.add_stranger, "partner", channel)
    modal = _search(team, "cat")
    inputs = {block["block_id"]: block["element"] for block in modal["blocks"] if block["type"] == "input"}
    answer = team.person.try_to(
        "submit",
        view_id=modal["id"],
        values={
            "words": {"search_in_modal": {"value": "cat"}},
            "picture": {"picture": {"selected_option": inputs["picture"]["options"][0]}},
            "conversation": {"channel": {"selected_conversation": channel.id}},
        },
    )
    assert answer == {"ok": False, "errors": {"conversation": "Choose another conversation."}}


def test_words_that_ask_nothing_are_explained_in_the_modal(team: Team) -> None:
    modal = _search(team, "thanks")
    assert modal["callback_id"] == "find_picture"
    assert "Type what a picture shows" in words(modal)


def _choices(modal: Json) -> list[str]:
    """Return the pictures that the modal offers to share."""
    element = next(block["element"] for block in modal["blocks"] if block.get("block_id") == "picture")
    return [option["text"]["text"] for option in element["options"]]


def _buttons(modal: Json) -> list[str]:
    return [
        each["text"]["text"] for block in modal["blocks"] if block["type"] == "actions" for each in block["elements"]
    ]


def _turn(team: Team, modal: Json, action: str, shown: str) -> Json:
    """Click a button of the modal, and return it when it shows some text."""
    block = next(block for block in modal["blocks"] if block["type"] == "actions")
    values = {"words": {"search_in_modal": {"value": "animal"}}}
    team.person.ask("action", view_id=modal["id"], block_id=block["block_id"], action_id=action, values=values)
    return dict(until(lambda: (view := team.person.state()["modal"]) and shown in words(view) and view))


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
