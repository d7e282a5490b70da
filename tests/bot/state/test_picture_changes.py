"""Test the queue of picture changes, with each kind of database."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from findimg.library.channels import PicturePlace
from findimg_bot.state import picture_changes as module
from findimg_bot.state.picture_changes import Action, PictureChanges
from findimg_bot.state.store import Store

EAGLE, GEESE, CHANNEL = PicturePlace("T1", "C1", "F1"), PicturePlace("T1", "C2", "F2"), PicturePlace("T1", "C1")


@pytest.fixture
def changes(state_address: str) -> Iterator[PictureChanges]:
    store = Store(state_address)
    yield store.picture_changes
    store.close()


def test_changes_are_due_in_their_order_until_they_are_finished(changes: PictureChanges) -> None:
    changes.record([EAGLE], Action.ADD)
    changes.record([GEESE], Action.REMOVE)
    first, second = changes.due(10)
    assert (first.place, first.action, second.place, second.action) == (EAGLE, Action.ADD, GEESE, Action.REMOVE)
    assert changes.due(1) == [first]
    changes.finish([first, second])
    assert changes.due(10) == []


def test_removed_picture_is_hidden_also_after_the_library_followed(changes: PictureChanges) -> None:
    changes.record([EAGLE], Action.ADD)
    assert changes.hidden_pictures() == frozenset()
    changes.record([EAGLE, CHANNEL], Action.REMOVE)
    changes.record([GEESE], Action.CHECK)
    assert changes.hidden_pictures() == {EAGLE, CHANNEL, GEESE}
    changes.finish(changes.due(10))
    assert changes.hidden_pictures() == {EAGLE, CHANNEL, GEESE}
    changes.record([EAGLE], Action.ADD)  # it was shared again
    changes.unhide(CHANNEL)
    assert changes.hidden_pictures() == {GEESE}


def test_change_that_was_replaced_meanwhile_is_not_finished(changes: PictureChanges) -> None:
    changes.record([EAGLE], Action.ADD)
    (added,) = changes.due(10)
    changes.record([EAGLE], Action.REMOVE)
    changes.finish([added])
    changes.drop([added])
    changes.postpone([added], 60)
    assert [change.action for change in changes.due(10)] == [Action.REMOVE]


def test_comparison_with_slack_replaces_nothing_newer(changes: PictureChanges) -> None:
    before = time.time()
    changes.record([EAGLE], Action.REMOVE)
    changes.record([EAGLE], Action.ADD, found_at=time.time())
    assert [change.action for change in changes.due(10)] == [Action.REMOVE]  # it is still to be done
    changes.finish(changes.due(10))
    changes.record([EAGLE], Action.ADD, found_at=before)
    assert changes.due(10) == []
    changes.record([EAGLE], Action.ADD, found_at=time.time() + 1)
    assert [change.action for change in changes.due(10)] == [Action.ADD]


def test_checked_picture_that_is_still_there_is_added(changes: PictureChanges) -> None:
    changes.record([EAGLE], Action.CHECK)
    changes.turn_into_additions(changes.due(10))
    assert [(change.place, change.action) for change in changes.due(10)] == [(EAGLE, Action.ADD)]
    assert changes.hidden_pictures() == frozenset()


def test_postponed_change_is_due_later(changes: PictureChanges) -> None:
    changes.record([EAGLE], Action.ADD)
    changes.postpone(changes.due(10), 60)
    assert changes.due(10) == []
    changes.record([EAGLE], Action.ADD)
    changes.postpone(changes.due(10), 0)
    assert [change.attempts for change in changes.due(10)] == [1]


def test_old_changes_are_deleted(changes: PictureChanges, state_address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    changes.record([EAGLE, GEESE], Action.REMOVE)
    changes.finish(changes.due(1))
    (open_,) = (change.place for change in changes.due(10))
    monkeypatch.setattr(module, "_DONE_SECONDS", 0.0)
    Store(state_address).check()
    assert changes.hidden_pictures() == {open_}


def test_channel_that_is_off_is_hidden(changes: PictureChanges) -> None:
    assert changes.switch_indexing("T1", "C1", is_off=True)
    assert not changes.switch_indexing("T1", "C1", is_off=True)
    assert changes.hidden_pictures() == {CHANNEL}
    assert changes.channels_off("T1") == {"C1"}
    assert changes.channels_off("T2") == frozenset()
    assert changes.switch_indexing("T1", "C1", is_off=False)
    assert not changes.switch_indexing("T1", "C2", is_off=False)
    assert changes.hidden_pictures() == frozenset()


def test_one_bot_announces_a_channel(changes: PictureChanges) -> None:
    changes.switch_indexing("T1", "C2", is_off=True)
    with ThreadPoolExecutor(4) as threads:
        for channel in ("C1", "C2"):
            claims = list(threads.map(lambda _, name=channel: changes.claim_announcement("T1", name), range(8)))
            assert sum(claims) == 1
    assert changes.channels_off("T1") == {"C2"}


def test_workspace_that_leaves_is_forgotten(changes: PictureChanges, state_address: str) -> None:
    changes.record([EAGLE, PicturePlace("T2", "C9", "F9")], Action.REMOVE)
    changes.switch_indexing("T1", "C1", is_off=True)
    changes.set_listed_until("T1", 5.0)
    store = Store(state_address)
    store.forget_team("T1")
    store.close()
    assert changes.hidden_pictures() == {PicturePlace("T2", "C9", "F9")}
    assert changes.listed_until("T1") is None
