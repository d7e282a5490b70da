import random

from findimg.taught.events import Event, new_click, parse_event
from findimg.taught.state import MOST_EXAMPLES, MOST_NAMES, TaughtState, merge
from tests.shared.taught.examples import cancel_event, made_up_example, taught_event


def summary(state: TaughtState) -> list[tuple[str, list[tuple[str, bool]]]]:
    return [(each.name, [(one.example.sha256, one.shows) for one in each.examples]) for each in state.names.values()]


def some_events() -> list[Event]:
    events = [taught_event(f"name {number % 4}", number, shows=number % 3 > 0) for number in range(20)]
    return [*events, taught_event("name 1", 1, shows=False), cancel_event(events[2], events[6])]


def test_state_does_not_depend_on_the_order_of_reading() -> None:
    events = some_events()
    expected = merge(events)
    for seed in range(5):
        shuffled = random.Random(seed).sample([*events, *events[:7]], len(events) + 7)
        assert summary(merge(shuffled)) == summary(expected)
        assert merge(shuffled).id == expected.id


def test_last_event_about_an_image_decides() -> None:
    state = merge([taught_event("lotus", 1), taught_event("Lotus", 1, shows=False)])
    assert [(each.name, [one.shows for one in each.examples]) for each in state.names.values()] == [("lotus", [False])]


def test_cancelling_restores_the_former_state() -> None:
    events = [taught_event("lotus", 1), taught_event("pond", 2)]
    wrong = [taught_event("lotus", 1, shows=False), taught_event("booth", 3)]
    restored = merge([*events, *wrong, cancel_event(*wrong)])
    assert summary(restored) == summary(merge(events))
    assert restored.id == merge(events).id


def test_cancelling_does_not_touch_events_that_its_writer_did_not_see() -> None:
    seen, unseen = taught_event("lotus", 1), taught_event("lotus", 2)
    assert summary(merge([seen, unseen, cancel_event(seen)])) == summary(merge([unseen]))


def test_oldest_names_and_examples_stay_within_the_limits() -> None:
    events = [taught_event("lotus", number) for number in range(MOST_EXAMPLES + 5)]
    state = merge(events)
    assert len(state.names["lotus"].examples) == MOST_EXAMPLES
    assert state.names["lotus"].examples[0].example.sha256 == made_up_example(0).sha256
    many = merge(taught_event(f"thing {number}", number) for number in range(MOST_NAMES + 3))
    assert len(many.names) == MOST_NAMES
    assert "thing 0" in many.names


def test_names_that_cannot_be_names_are_passed_over() -> None:
    assert merge([taught_event("!!!", 1), taught_event("x" * 150, 2)]).names == {}


def clicks(name: str, number: int, count: int) -> list[Event]:
    new = [new_click(name, made_up_example(number)) for _ in range(count)]
    return [parse_event(each.key, each.data) for each in new]


def test_clicks_are_weak_and_count_only_for_taught_names() -> None:
    events = [taught_event("lotus", 1), *clicks("lotus", 2, 3), *clicks("lotus", 1, 2), *clicks("pond", 3, 9)]
    (lotus,) = merge(events).names.values()
    taught, clicked = lotus.examples
    assert (taught.weight, clicked.weight) == (1, 0.1 * 3)
    assert merge([*events, *clicks("lotus", 2, 50)]).names["lotus"].examples[1].weight == 0.5
    assert lotus.people == ("T1/U1",)
