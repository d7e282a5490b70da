"""Messages and modals about taught names keep Slack's limits, with hostile names of any length."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from findimg.taught.audit import activities, audit
from findimg.taught.events import Event, Example, new_action, new_cancel, new_example, parse_event
from findimg.taught.state import MOST_EXAMPLES, merge
from findimg_bot.local_slack.model.limits import message_problems, view_problems
from findimg_bot.slack.blocks.home_tab import home_tab
from findimg_bot.slack.blocks.message import Message
from findimg_bot.slack.blocks.modals.taught_name import closing_modal, read_ticked_examples, taught_name_modal
from findimg_bot.slack.blocks.modals.teach_name import (
    Choices,
    TeachRequest,
    read_submission,
    read_teach_request,
    read_ticks,
    teach_choices,
    teach_modal,
)
from findimg_bot.slack.blocks.results.results_page import HitDetails, HitThumbnails
from findimg_bot.slack.blocks.taught_names import (
    history_message,
    lesson_blocks,
    nothing_new_message,
    people_message,
    taught_home_blocks,
    taught_list_message,
    unknown_words_message,
)
from tests.bot.slack.test_blocks import HOSTILE, MANIFEST, all_pictures, hits, page
from tests.shared.taught.examples import made_up_example

VALID = [text for text in HOSTILE if text.encode(errors="ignore").decode() == text]  # can be stored
SHORT = [text[:60] for text in VALID if any(c.isalnum() for c in text)]
NAMES = [*SHORT, *(f"name {number}" for number in range(40))]


def event(name: str, number: int, by: str = "T1/U1") -> Event:
    example = made_up_example(number)
    example = Example(example.sha256, example.vector, "f", f"/photos/{VALID[number % len(VALID)][:500]}/cat.jpg")
    new = new_example(by, new_action(), name or "x", number % 3 > 0, example)
    return parse_event(new.key, new.data)


def accepted_message(message: Message) -> None:
    blocks = json.loads(json.dumps(list(message.blocks)))
    assert message_problems(blocks, lambda _: True) == []
    _harmless(blocks)


def accepted_view(view: dict[str, Any]) -> None:
    assert view_problems(json.loads(json.dumps(view)), lambda _: True) == []
    _harmless(view)


def _harmless(shown: Any) -> None:
    """Check that mrkdwn has no markup except dates and mentions of our own."""
    if isinstance(shown, dict):
        if shown.get("type") == "mrkdwn":
            text = shown["text"].replace("<@U1>", "").replace("<!date^", "")
            assert "<!" not in text
            assert "<@" not in text
            assert "<http" not in text
        shown = list(shown.values())
    if isinstance(shown, list):
        for each in shown:
            _harmless(each)


@pytest.fixture(scope="module")
def events() -> list[Event]:
    """Return the events of many names, one of which has many examples, and of a person with a hostile name."""
    found = [event(name, number) for number, name in enumerate(NAMES)]
    found += [event("full", number) for number in range(MOST_EXAMPLES + 5)]
    found += [event("by others", number, f"T1/{VALID[number][:150]}") for number in range(10)]
    new = new_cancel("T1/U1", new_action(), [found[0].id])
    return [*found, parse_event(new.key, new.data)]


def test_lists_keep_the_limits(events: list[Event]) -> None:
    names = list(merge(events).names.values())
    for skip in range(0, len(names), 15):
        accepted_message(taught_list_message(names, skip, "T1"))
    accepted_message(taught_list_message([], 0, "T1"))
    accepted_message(people_message(activities(merge(events).events), "T1", "T1/U1"))
    accepted_message(history_message(audit(events), "T1"))
    accepted_view(home_tab(MANIFEST, taught=taught_home_blocks(names, "T1")))
    accepted_view(home_tab(MANIFEST, taught=taught_home_blocks([], "T1")))
    for name in names:
        accepted_view(taught_name_modal(name, "C1", "T1", "1 example removed."))


@pytest.mark.parametrize("text", HOSTILE)
def test_confirmations_keep_the_limits(text: str) -> None:
    uris = [f"/photos/{text}/{number}.jpg" for number in range(10)]
    accepted_message(Message("x", lesson_blocks(text or "x", (3, 1), (uris, uris), "0" * 16)))
    accepted_message(nothing_new_message(text or "x"))
    accepted_message(unknown_words_message(f"The word {text!r} is unknown.", "id"))
    accepted_view(closing_modal(f"{text} is gone."))


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("files", [(), ("F1",), ("F1", "F2", "F3", "F4", "F5")])
def test_modal_keeps_the_limits_and_gives_back_what_it_is_about(text: str, files: tuple[str, ...]) -> None:
    request = TeachRequest(text[:60].encode(errors="ignore").decode(), "C1", "1.0", files, "id")
    chosen = Choices(frozenset(hit.uri for hit in hits(3)) | {f"/{text}"}, frozenset({hits(8)[5].uri}))
    for pictures in (
        all_pictures(8),
        HitThumbnails(sheet={"slack_file": {"id": "F9"}}),
        HitThumbnails(note=text or "x"),
    ):
        shown = page(_details(8), more=True, skip=8)
        choices = teach_choices(shown, pictures, "question", request=request, chosen=chosen)
        view = teach_modal(request, choices.blocks)
        accepted_view(view)
        assert read_teach_request(view) == request
    nothing = teach_choices(page([]), HitThumbnails(), "q", request=request, chosen=chosen)
    accepted_view(teach_modal(request, nothing.blocks))


def _details(count: int) -> list[HitDetails]:
    return [HitDetails(hit, "party", ("cat",)) for hit in hits(count)]


def test_ticks_are_read_from_the_page_that_is_shown() -> None:
    option = {"value": "1"}
    state = {
        "name": {"name": {"value": "lotus"}},
        "like.q1": {"like": {"selected_options": [option, {"value": "7"}]}},
        "unlike.q1": {"unlike": {"selected_options": []}},
    }
    view = {"state": {"values": state}}
    ticks = read_ticks(view)
    assert (ticks.question, ticks.like, ticks.unlike, ticks.block) == ("q1", {1, 7}, frozenset(), "like.q1")
    uris = [f"/{number}.jpg" for number in range(8)]
    before = Choices(frozenset({"/0.jpg", "/other.jpg"}), frozenset({"/1.jpg"}))
    assert before.on_page(uris, ticks.choices(uris)) == Choices(frozenset({"/other.jpg", "/1.jpg", "/7.jpg"}))
    assert read_submission(view).name == "lotus"


def test_removed_examples_are_read_from_all_boxes() -> None:
    values = {f"remove.{n}": {"remove": {"selected_options": [{"value": f"{n}"}]}} for n in (0, 10)}
    assert read_ticked_examples({"state": {"values": values}, "private_metadata": '{"key": "lotus"}'}) == (
        "lotus",
        ["0", "10"],
    )


def test_history_shows_the_newest_event_with_its_time(events: list[Event]) -> None:
    line = history_message(audit(events), "T1").blocks[1]["text"]["text"]
    assert f"{datetime.now(UTC):%Y}" in line
    assert "took back 1 example" in line
