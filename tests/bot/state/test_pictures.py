"""Test the queue of picture changes, with each kind of database."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from findimg.library.channels import PicturePlace
from findimg_bot.state import pictures as module
from findimg_bot.state.picture_changes import Action, Pictures
from findimg_bot.state.store import Store

EAGLE, GEESE, CHANNEL = PicturePlace("T1", "C1", "F1"), PicturePlace("T1", "C2", "F2"), PicturePlace("T1", "C1")


@pytest.fixture
def pictures(state_address: str) -> Iterator[Pictures]:
    store = Store(state_address)
    yield store.pictures
    store.close()


def test_changes_are_due_in_their_order_until_they_are_finished(pictures: Pictures) -> None:
    pictures.notice([EAGLE], Action.ADD)
    pictures.notice([GEESE], Action.REMOVE)
    first, second = pictures.due(10)
    assert (first.place, first.action, second.place, second.action) == (EAGLE, Action.ADD, GEESE, Action.REMOVE)
    assert pictures.due(1) == [first]
    pictures.finish([first, second])
    assert pictures.due(10) == []


def test_removed_picture_is_hidden_also_after_the_library_followed(pictures: Pictures) -> None:
    pictures.notice([EAGLE], Action.ADD)
    assert pictures.hidden() == frozenset()
    pictures.notice([EAGLE, CHANNEL], Action.REMOVE)
    pictures.notice([GEESE], Action.CHECK)
    assert pictures.hidden() == {EAGLE, CHANNEL, GEESE}
    pictures.finish(pictures.due(10))
    assert pictures.hidden() == {EAGLE, CHANNEL, GEESE}
    pictures.notice([EAGLE], Action.ADD)  # it was shared again
    pictures.show(CHANNEL)
    assert pictures.hidden() == {GEESE}


def test_change_that_was_replaced_meanwhile_is_not_finished(pictures: Pictures) -> None:
    pictures.notice([EAGLE], Action.ADD)
    (added,) = pictures.due(10)
    pictures.notice([EAGLE], Action.REMOVE)
    pictures.finish([added])
    pictures.drop([added])
    pictures.postpone([added], 60)
    assert [change.action for change in pictures.due(10)] == [Action.REMOVE]


def test_comparison_with_slack_replaces_nothing_newer(pictures: Pictures) -> None:
    before = time.time()
    pictures.notice([EAGLE], Action.REMOVE)
    pictures.notice([EAGLE], Action.ADD, found_at=time.time())
    assert [change.action for change in pictures.due(10)] == [Action.REMOVE]  # it is still to be done
    pictures.finish(pictures.due(10))
    pictures.notice([EAGLE], Action.ADD, found_at=before)
    assert pictures.due(10) == []
    pictures.notice([EAGLE], Action.ADD, found_at=time.time() + 1)
    assert [change.action for change in pictures.due(10)] == [Action.ADD]


def test_checked_picture_that_is_still_there_is_added(pictures: Pictures) -> None:
    pictures.notice([EAGLE], Action.CHECK)
    pictures.add_instead(pictures.due(10))
    assert [(change.place, change.action) for change in pictures.due(10)] == [(EAGLE, Action.ADD)]
    assert pictures.hidden() == frozenset()


def test_postponed_change_is_due_later(pictures: Pictures) -> None:
    pictures.notice([EAGLE], Action.ADD)
    pictures.postpone(pictures.due(10), 60)
    assert pictures.due(10) == []
    pictures.notice([EAGLE], Action.ADD)
    pictures.postpone(pictures.due(10), 0)
    assert [change.attempts for change in pictures.due(10)] == [1]


def test_old_changes_are_deleted(pictures: Pictures, state_address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures.notice([EAGLE, GEESE], Action.REMOVE)
    pictures.finish(pictures.due(1))
    (open_,) = (change.place for change in pictures.due(10))
    monkeypatch.setattr(module, "_DONE_SECONDS", 0.0)
    Store(state_address).check()
    assert pictures.hidden() == {open_}


def test_channel_that_is_off_is_hidden(pictures: Pictures) -> None:
    assert pictures.switch("T1", "C1", is_off=True)
    assert not pictures.switch("T1", "C1", is_off=True)
    assert pictures.hidden() == {CHANNEL}
    assert pictures.channels_off("T1") == {"C1"}
    assert pictures.channels_off("T2") == frozenset()
    assert pictures.switch("T1", "C1", is_off=False)
    assert not pictures.switch("T1", "C2", is_off=False)
    assert pictures.hidden() == frozenset()


def test_one_bot_announces_a_channel(pictures: Pictures) -> None:
    pictures.switch("T1", "C2", is_off=True)
    with ThreadPoolExecutor(4) as threads:
        for channel in ("C1", "C2"):
            claims = list(threads.map(lambda _, name=channel: pictures.claim_announcement("T1", name), range(8)))
            assert sum(claims) == 1
    assert pictures.channels_off("T1") == {"C2"}


def test_one_bot_holds_the_lease_until_it_ends(pictures: Pictures) -> None:
    assert pictures.hold_lease("work", "a", 60)
    assert not pictures.hold_lease("work", "b", 60)
    assert pictures.hold_lease("work", "a", -1)
    assert pictures.hold_lease("work", "b", 60)
    pictures.release_lease("work", "a")
    assert not pictures.hold_lease("work", "a", 60)
    pictures.release_lease("work", "b")
    assert pictures.hold_lease("work", "a", 60)


def test_workspace_that_leaves_is_forgotten(pictures: Pictures, state_address: str) -> None:
    pictures.notice([EAGLE, PicturePlace("T2", "C9", "F9")], Action.REMOVE)
    pictures.switch("T1", "C1", is_off=True)
    pictures.set_known_until("T1", 5.0)
    store = Store(state_address)
    store.forget_team("T1")
    store.close()
    assert pictures.hidden() == {PicturePlace("T2", "C9", "F9")}
    assert pictures.known_until("T1") is None
