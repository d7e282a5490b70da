"""Test by a table who sees a picture of a private channel, in which way, and that the others learn nothing of it."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from findimg_bot.local_slack.model.state import User
from tests.bot.conftest import IMAGE_BASE_URL
from tests.bot.gallery import Gallery, paint
from tests.bot.person import BrowserUser, Json, images, words

pytestmark = [pytest.mark.slow, pytest.mark.long]

SHOWN = ("cat", "eagle", "dalmatian", "geese")  # pictures that keep their names


@pytest.fixture(scope="module")
def gallery(cache: Path, samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gallery]:
    secrets = [path for path in sorted(samples.iterdir()) if path.stem not in SHOWN]
    copy = samples / "eagle.jpg"  # of a picture that everybody may see
    gallery = Gallery(tmp_path_factory.mktemp("gallery"), cache, samples, [*secrets, copy])
    yield gallery
    gallery.team.close()


class Visitor:
    """A person who looks for the dalmatian and the secrets of the private channel, each time in another way."""

    def __init__(self, gallery: Gallery, user: User):
        self._gallery = gallery
        self._person = BrowserUser(gallery.workspace.address, user.token)
        self._direct = gallery.workspace.team.direct(user.id).id
        (file,) = (each for each in gallery.workspace.team.files.values() if each.name == "dalmatian.jpg")
        self._uri = f"slack://{gallery.workspace.team.id}/{gallery.private.id}/{file.id}/{file.name}"
        self._link = f"{IMAGE_BASE_URL}{gallery.private.id}/{file.id}/{file.name}"
        self._hit = self._person.command(self._direct, "/findimg dalmatian")
        self._page = self._person.command(self._direct, "/findimg animal")
        self._said = self.says(self._direct, "dalmatian")

    def seen(self) -> dict[str, bool]:
        """Return the ways to look that need no earlier answer, and whether they show a picture of the channel."""
        ask = self._person.command
        return {
            "search": _shows(ask(self._direct, "/findimg dalmatian")),
            "similar": _shows(ask(self._direct, f"/similar like:{self._uri}")),
            "tags": _shows(ask(self._direct, f"/tag like:{self._uri}")),
            "count": f"{self._gallery.count()} images" in words(ask(self._direct, "/findimg animal")),
            "duplicates": "and 1 copy" in words(ask(self._direct, "/findimg eagle")),
            "assistant": _shows(self.says(self._direct, "dalmatian")),
            "Slack's search": "dalmatian.jpg" in json.dumps(self._person.ask("search", query="dalmatian")["results"]),
        }

    def seen_by_clicks(self) -> dict[str, bool]:
        """Return the same for clicks on an answer that showed the pictures."""
        click, choose = self._person.click, self._person.choose
        choice = self._choice()
        return {
            "similar": _shows(self._after(lambda: choose(self._direct, self._hit, "similar"))),
            "tag": _shows(self._after(lambda: choose(self._direct, choice, "tag"))),
            "open": _shows(self._after(lambda: choose(self._direct, self._hit, "open"))),
            "share": _shows(self._after(lambda: choose(self._direct, self._hit, "share"))),
            "next": _shows(self._after(lambda: click(self._direct, self._page, "next"))),
        }

    def _choice(self) -> Json:
        """Use the shortcut `Tag this image` on an answer that showed the dalmatian, and return what it offers."""
        ask, ts = self._person.ask, self._said["ts"]
        return self._after(lambda: ask("shortcut", callback_id="tag_image", channel=self._direct, ts=ts))

    def says(self, channel: str, text: str) -> Json:
        """Say something in a conversation, and return the bot's answer."""
        return self._after(lambda: self._person.ask("send", channel=channel, text=text), channel, by_bot=True)

    def previews(self) -> int:
        """Post links to the dalmatian and to the cat, and return the number of previews, after that of the cat came."""
        text = f"{self._link} {IMAGE_BASE_URL}cat.png"
        general = self._gallery.workspace.team.channel("general")
        assert general
        ts = self._person.ask("send", channel=general.id, text=text)["ts"]
        shown = self._person.wait(general.id, lambda each: each["ts"] == ts and bool(each.get("attachments")))
        assert "dalmatian" not in str(shown["attachments"])
        return len(shown["attachments"])

    def _after(self, act: Callable[[], object], channel: str = "", by_bot: bool = False) -> Json:
        place = channel or self._direct
        before = {each["ts"]: json.dumps(each) for each in self._person.messages(place)}
        act()
        return self._person.wait(
            place,
            lambda each: (
                before.get(each["ts"]) != json.dumps(each)
                and "Searching" not in each["text"]
                and (not by_bot or "bot_id" in each or each["user"] == self._gallery.workspace.team.bot.id)
            ),
        )


def _shows(answer: Json) -> bool:
    text = words(answer) + answer["text"]
    # The sentence that no such picture is indexed repeats the address that the person typed.
    return ("dalmatian.jpg" in text or "secret-" in text) and "is indexed" not in text


def everything(is_seen: bool) -> dict[str, bool]:
    ways = ("search", "similar", "tags", "count", "duplicates", "assistant", "Slack's search")
    return dict.fromkeys(ways, is_seen)


CLICKS = ("similar", "tag", "open", "share", "next")


@pytest.mark.parametrize(("name", "is_seen"), [("member", True), ("other", False), ("guest", False)])
def test_only_members_see_pictures_of_a_private_channel(gallery: Gallery, name: str, is_seen: bool) -> None:
    visitor = Visitor(gallery, getattr(gallery, name))
    assert visitor.seen() == everything(is_seen)
    if is_seen:
        assert visitor.seen_by_clicks() == dict.fromkeys(CLICKS, True)


def test_people_of_another_team_see_nothing(gallery: Gallery) -> None:
    person, bot = BrowserUser(gallery.workspace.address, gallery.stranger.token), gallery.workspace.team.bot.id
    ts = person.ask("send", channel=gallery.shared.id, text=f"<@{bot}> dalmatian")["ts"]
    answer = person.wait(gallery.shared.id, lambda each: each["ts"] > ts and "workspace" in each["text"])
    assert not images(answer)
    assert not _shows(answer)


@pytest.mark.parametrize(("change", "back"), [("leave", "join"), ("archive", "unarchive")])
def test_pictures_are_gone_with_the_membership_or_the_channel(gallery: Gallery, change: str, back: str) -> None:
    visitor = Visitor(gallery, gallery.member)
    gallery.act(gallery.member, change, gallery.private)
    try:
        assert visitor.seen() == everything(False)
        assert visitor.seen_by_clicks() == dict.fromkeys(CLICKS, False)
    finally:
        gallery.act(gallery.member, back, gallery.private)
    assert Visitor(gallery, gallery.member).seen() == everything(True)


def test_public_channel_that_becomes_private_again_hides_its_pictures(gallery: Gallery) -> None:
    gallery.private.is_private = False
    gallery.restart()  # so that it does not wait a minute to ask Slack again
    visitor = Visitor(gallery, gallery.other)
    try:
        assert visitor.seen() == everything(True)
        assert visitor.seen_by_clicks() == dict.fromkeys(CLICKS, True)
        visitor = Visitor(gallery, gallery.other)
    finally:
        gallery.private.is_private = True
        gallery.restart()
    assert visitor.seen() == everything(False)
    assert visitor.seen_by_clicks() == dict.fromkeys(CLICKS, False)


def test_conversations_show_what_everybody_in_them_may_see(gallery: Gallery, tmp_path: Path) -> None:
    team = gallery.workspace.team
    group = gallery.slack.call(team.group_direct, [gallery.member, gallery.other])
    direct = team.direct(gallery.member.id)
    visitor = Visitor(gallery, gallery.member)
    assert _shows(visitor.says(direct.id, "dalmatian"))
    assert not _shows(visitor.says(group.id, f"<@{team.bot.id}> dalmatian"))
    # Pictures of direct messages are found by nobody, also not by those who are in them.
    for number, place in enumerate((group, direct)):
        gallery.share(place, paint(tmp_path / f"party-{number}.png", 100 + number))
    gallery.index()
    assert "party" not in words(
        BrowserUser(gallery.workspace.address, gallery.member.token).command(direct.id, "/findimg type:png")
    )
    assert visitor.seen() == everything(True)


@pytest.mark.parametrize("name", ["member", "other"])
def test_links_have_no_preview_of_pictures_from_slack(gallery: Gallery, name: str) -> None:
    assert Visitor(gallery, getattr(gallery, name)).previews() == 1
