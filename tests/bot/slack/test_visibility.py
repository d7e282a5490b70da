"""Test from which channels people may see pictures, against the local workspace over HTTP."""

import asyncio
from collections.abc import Iterator

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from findimg.library.channels import NO_CHANNELS
from findimg_bot.local_slack.model.state import Channel, User
from findimg_bot.slack import visibility
from findimg_bot.slack.manifest import read_manifest
from findimg_bot.slack.visibility import Viewer, Visibility
from tests.bot.team import Threaded

SCOPES = ["channels:read", "groups:read", "im:read", "mpim:read", "users:read"]


class Place:
    """A workspace with channels of each kind."""

    def __init__(self) -> None:
        manifest = read_manifest()
        bot = manifest["oauth_config"]["scopes"]["bot"]
        bot += [scope for scope in SCOPES if scope not in bot]
        self.slack = Threaded(manifest)
        workspace = self.slack.workspace
        self.team, self.faults = workspace.team, workspace.faults
        self.member: User = workspace.me
        self.other: User = self.slack.call(self.team.add_user, "other")
        add = self.team.add_channel
        self.public: Channel = self.slack.call(add, "public", members=[])
        self.private: Channel = self.slack.call(add, "private", members=[self.member.id], private=True)
        self.shared: Channel = self.slack.call(add, "shared", members=[self.member.id])
        self.guest: User = self.slack.call(self.team.add_guest, "guest", self.shared)
        self.stranger: User = self.slack.call(self.team.add_stranger, "stranger", self.shared)
        self.client = AsyncWebClient(workspace.bot_token, base_url=workspace.api_url)
        self.visibility = Visibility()

    def seen_by(self, user: User, *indexed: Channel) -> set[str]:
        """Return the names of the channels whose pictures a person may see, while some channels are indexed."""
        person, ids = Viewer(self.client, self.team.id, user.id), frozenset(channel.id for channel in indexed)
        found = asyncio.run(self.visibility.channels(person, ids))
        return {self.team.channels[name].name for name in found if not self.team.channels[name].is_im} - {"general"}


@pytest.fixture
def place() -> Iterator[Place]:
    place = Place()
    yield place
    place.slack.stop()


def test_people_see_pictures_of_their_channels(place: Place) -> None:
    assert place.seen_by(place.member) == {"public", "private", "shared"}
    assert place.seen_by(place.other) == {"public", "shared"}
    assert place.seen_by(place.guest) == place.seen_by(place.stranger) == {"shared"}


@pytest.mark.parametrize("change", ["leave", "archive", "private"])
def test_change_in_slack_counts_after_a_minute(place: Place, change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    channel, person = (place.private, place.member) if change == "leave" else (place.public, place.other)
    assert channel.name in place.seen_by(person)
    if change == "leave":
        channel.members.discard(person.id)
    elif change == "archive":
        channel.is_archived = True
    else:
        channel.is_private = True
    calls = len(place.faults.calls)
    assert channel.name in place.seen_by(person)
    assert len(place.faults.calls) == calls  # within a minute Slack is not asked again
    monkeypatch.setattr(visibility, "_SECONDS", 0.0)
    assert channel.name not in place.seen_by(person)
    if change == "private":
        channel.is_private = False
        assert channel.name in place.seen_by(person)


def test_channel_whose_first_picture_was_indexed_counts_at_once(place: Place) -> None:
    assert place.seen_by(place.other, place.public, place.private) == {"public", "shared"}
    new: Channel = place.slack.call(place.team.add_channel, "new", members=[place.other.id], private=True)
    indexed = (place.public, place.private, new)
    assert place.seen_by(place.other, *indexed) == {"public", "shared", "new"}
    assert place.seen_by(place.guest, *indexed) == {"shared"}
    calls = len(place.faults.calls)
    assert place.seen_by(place.other, *indexed[1:]) == {"public", "shared", "new"}
    assert place.seen_by(place.guest, *indexed) == {"shared"}  # of a channel that a person may not see, too
    assert len(place.faults.calls) == calls


@pytest.mark.parametrize("method", ["users.info", "users.conversations", "conversations.list"])
def test_nothing_is_visible_while_slack_does_not_answer(place: Place, method: str) -> None:
    place.faults.failing[method] = "fatal_error"
    assert place.seen_by(place.member) == set()
    place.faults.failing.clear()
    assert place.seen_by(place.member) == {"public", "private", "shared"}  # a failure is not kept


def test_all_pages_of_channels_are_read(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visibility, "_PAGE", 1)
    assert place.seen_by(place.member) == {"public", "private", "shared"}


def test_people_who_ask_together_cause_one_request(place: Place) -> None:
    async def ask() -> None:
        client = AsyncWebClient(place.client.token, base_url=place.client.base_url)
        asked = [
            place.visibility.channels(Viewer(client, place.team.id, place.member.id), NO_CHANNELS) for _ in range(20)
        ]
        assert len(set(await asyncio.gather(*asked))) == 1

    asyncio.run(ask())
    assert [method for method, _ in place.faults.calls].count("users.info") == 1
