"""Test that people see pictures from Slack only where they may: the bot as a process, and real HTTP.

The library holds a cat from a folder, which everybody may see, and pictures from Slack channels: an eagle (public), a
dalmatian (private), and geese in a channel with a guest and a member of another organisation.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bot.gallery import Gallery
from tests.bot.person import BrowserUser, images, until, words

pytestmark = pytest.mark.slow

PUBLIC, PRIVATE, SHARED = "eagle", "dalmatian", "geese"


@pytest.fixture(scope="module")
def gallery(cache: Path, samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gallery]:
    gallery = Gallery(tmp_path_factory.mktemp("gallery"), cache, samples)
    yield gallery
    gallery.team.close()


@pytest.fixture(autouse=True)
def fresh(gallery: Gallery) -> Iterator[None]:
    """Restart the bot before a test that changes channels, so that it asks Slack again."""
    yield
    if gallery.private.members != {gallery.member.id, gallery.workspace.team.bot.id} or gallery.public.is_private:
        gallery.private.members = {gallery.member.id, gallery.workspace.team.bot.id}
        gallery.public.is_private = False
        gallery.restart()


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("member", {PUBLIC, PRIVATE, SHARED, "cat"}),
        ("other", {PUBLIC, SHARED, "cat"}),
        ("guest", {SHARED, "cat"}),
    ],
)
def test_people_find_pictures_of_their_channels(gallery: Gallery, name: str, seen: set[str]) -> None:
    answer = gallery.ask(getattr(gallery, name), "/findimg animal")
    text = words(answer)
    assert {each for each in (PUBLIC, PRIVATE, SHARED, "cat") if each in text} == seen
    assert len(images(answer)) == len(seen)
    assert f"{len(seen)} images · indexed" in text  # no number tells of hidden pictures


def test_stranger_gets_no_answer(gallery: Gallery) -> None:
    person, bot = BrowserUser(gallery.workspace.address, gallery.stranger.token), gallery.workspace.team.bot.id
    ts = person.ask("send", channel=gallery.shared.id, text=f"<@{bot}> animal")["ts"]
    answer = person.wait(gallery.shared.id, lambda each: each["ts"] > ts and "workspace" in str(each))
    assert not images(answer)


@pytest.mark.parametrize(
    "text",
    [
        "/findimg dalmatian",
        "/findimg name:dalmatian",
        "/findimg type:jpeg",
        "/findimg in:{private}",
        "/findimg like:{hidden}",
        "/similar like:{hidden}",
        "/tag like:{hidden}",
    ],
)
def test_hidden_picture_is_as_if_it_did_not_exist(gallery: Gallery, text: str) -> None:
    uri = f"slack://{gallery.workspace.team.id}/{gallery.private.id}"
    (file,) = (each for each in gallery.workspace.team.files.values() if each.name == "dalmatian.jpg")
    filled = text.format(private=gallery.private.id, hidden=f"{uri}/{file.id}/dalmatian.jpg")
    answer = gallery.ask(gallery.other, filled)
    assert not [each for each in images(answer) if "dalmatian" in str(each)]
    told = f"{words(answer)} {answer['text']}"
    if "{hidden}" in text:
        assert "is indexed" in told  # the same sentence as for an address that was never indexed
    else:
        assert "dalmatian.jpg" not in told
    assert "board" not in words(answer)


def test_answer_in_a_channel_shows_only_pictures_of_that_channel(gallery: Gallery) -> None:
    person = BrowserUser(gallery.workspace.address, gallery.member.token)
    bot = gallery.workspace.team.bot.id
    ts = person.ask("send", channel=gallery.shared.id, text=f"<@{bot}> animal")["ts"]
    answer = person.wait(gallery.shared.id, lambda each: each.get("thread_ts") == ts and bool(images(each)))
    assert len(images(answer)) == 2
    assert PRIVATE not in words(answer)
    assert PUBLIC not in words(answer)


def test_picture_of_another_channel_is_shared_only_after_a_question(gallery: Gallery) -> None:
    person, channel = BrowserUser(gallery.workspace.address, gallery.member.token), gallery.public.id
    answer = gallery.ask(gallery.member, "/findimg dalmatian", channel)
    before = len(gallery.workspace.team.messages[channel])
    person.choose(channel, answer, "share")
    question = person.wait(channel, lambda each: "was posted in" in words(each))
    assert not images(question)
    assert f"<#{gallery.private.id}>" in words(question)
    assert f"<#{channel}>" in words(question)
    posted = list(gallery.workspace.team.messages[channel].values())[before:]
    assert all(each.only_for == gallery.member.id for each in posted)
    person.click(channel, question, "share_anyway")
    shared = person.wait(channel, lambda each: "shared by" in words(each))
    assert len(images(shared)) == 1
    assert question["ts"] not in {each["ts"] for each in person.messages(channel)}


def test_person_who_left_cannot_confirm_a_share(gallery: Gallery) -> None:
    person, channel = BrowserUser(gallery.workspace.address, gallery.member.token), gallery.public.id
    answer = gallery.ask(gallery.member, "/findimg dalmatian", channel)
    person.choose(channel, answer, "share")
    question = person.wait(channel, lambda each: "was posted in" in words(each) and each["ts"] > answer["ts"])
    gallery.private.members.discard(gallery.member.id)
    gallery.restart()
    person.click(channel, question, "share_anyway")
    told = person.wait(channel, lambda each: "is indexed" in each["text"])
    assert not images(told)
    assert not any("shared by" in words(each) and each["ts"] > question["ts"] for each in person.messages(channel))


def test_person_who_left_gets_neither_the_next_page_nor_a_similar_picture(gallery: Gallery) -> None:
    person, channel = BrowserUser(gallery.workspace.address, gallery.member.token), gallery.public.id
    answer = gallery.ask(gallery.member, "/findimg dalmatian", channel)
    assert PRIVATE in words(answer)
    gallery.private.members.discard(gallery.member.id)
    gallery.restart()  # so that it does not wait a minute to ask Slack again
    person.choose(channel, answer, "similar")
    told = person.wait(channel, lambda each: each["ts"] > answer["ts"] and bool(words(each) or each["text"]))
    assert "dalmatian" not in str([each.get("alt_text") for each in images(told)])


def test_public_channel_that_became_private_hides_its_pictures(gallery: Gallery) -> None:
    gallery.public.is_private = True
    gallery.public.members.discard(gallery.other.id)
    gallery.restart()
    assert PUBLIC not in words(gallery.ask(gallery.other, "/findimg animal"))
    gallery.public.members.add(gallery.other.id)


@pytest.mark.parametrize(
    ("error", "reason"), [("fatal_error", "Slack answered fatal_error"), ("ratelimited", "Slack limits how often")]
)
def test_nothing_from_slack_is_shown_while_slack_does_not_answer(gallery: Gallery, error: str, reason: str) -> None:
    gallery.restart()
    gallery.team.faults.failing["users.conversations"] = error
    try:
        answer = gallery.ask(gallery.member, "/findimg animal")
        hidden = gallery.ask(gallery.member, f"/findimg dalmatian in:{gallery.private.id}")
    finally:
        gallery.team.faults.failing.clear()
    assert len(images(answer)) == 1
    assert "cat" in words(answer)
    assert f"Pictures from Slack are left out. {reason}" in words(answer)
    assert not images(hidden)
    assert reason not in words(gallery.ask(gallery.member, "/findimg animal"))


def test_deleted_picture_disappears_with_the_next_run(gallery: Gallery, samples: Path) -> None:
    file = gallery.share(gallery.public, samples / "strawberries.jpg")

    def found() -> int:
        return len(images(gallery.ask(gallery.member, "/findimg type:jpeg")))

    gallery.index()
    until(lambda: found() == 4)
    gallery.workspace.team.files[file].deleted = True
    gallery.index()
    until(lambda: found() == 3)
