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
from tests.bot.team import WorkspaceThread

SCOPES = ["channels:read", "groups:read", "im:read", "mpim:read", "users:read"]


class ChannelWorkspace:
    """A workspace with channels of each kind."""

    def __init__(self) -> None:
        manifest = read_manifest()
        bot = manifest["oauth_config"]["scopes"]["bot"]
        bot += [scope for scope in SCOPES if scope not in bot]
        self.slack = WorkspaceThread(manifest)
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
def workspace() -> Iterator[ChannelWorkspace]:
    workspace = ChannelWorkspace()
    yield workspace
    workspace.slack.stop()


def test_people_see_pictures_of_their_channels(workspace: ChannelWorkspace) -> None:
    assert workspace.seen_by(workspace.member) == {"public", "private", "shared"}
    assert workspace.seen_by(workspace.other) == {"public", "shared"}
    assert workspace.seen_by(workspace.guest) == workspace.seen_by(workspace.stranger) == {"shared"}


@pytest.mark.parametrize("change", ["leave", "archive", "private"])
def test_change_in_slack_counts_after_a_minute(
    workspace: ChannelWorkspace, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel, person = (
        (workspace.private, workspace.member) if change == "leave" else (workspace.public, workspace.other)
    )
    assert channel.name in workspace.seen_by(person)
    if change == "leave":
        channel.members.discard(person.id)
    elif change == "archive":
        channel.is_archived = True
    else:
        channel.is_private = True
    calls = len(workspace.faults.calls)
    assert channel.name in workspace.seen_by(person)
    assert len(workspace.faults.calls) == calls  # within a minute Slack is not asked again
    monkeypatch.setattr(visibility, "_SECONDS", 0.0)
    assert channel.name not in workspace.seen_by(person)
    if change == "private":
        channel.is_private = False
        assert channel.name in workspace.seen_by(person)


def test_channel_whose_first_picture_was_indexed_counts_at_once(workspace: ChannelWorkspace) -> None:
    assert workspace.seen_by(workspace.other, workspace.public, workspace.private) == {"public", "shared"}
    new: Channel = workspace.slack.call(workspace.team.add_channel, "new", members=[workspace.other.id], private=True)
    indexed = (workspace.public, workspace.private, new)
    assert workspace.seen_by(workspace.other, *indexed) == {"public", "shared", "new"}
    assert workspace.seen_by(workspace.guest, *indexed) == {"shared"}
    calls = len(workspace.faults.calls)
    assert workspace.seen_by(workspace.other, *indexed[1:]) == {"public", "shared", "new"}
    assert workspace.seen_by(workspace.guest, *indexed) == {"shared"}  # of a channel that a person may not see, too
    assert len(workspace.faults.calls) == calls


@pytest.mark.parametrize("method", ["users.info", "users.conversations", "conversations.list"])
def test_nothing_is_visible_while_slack_does_not_answer(workspace: ChannelWorkspace, method: str) -> None:
    workspace.faults.failing[method] = "fatal_error"
    assert workspace.seen_by(workspace.member) == set()
    workspace.faults.failing.clear()
    assert workspace.seen_by(workspace.member) == {"public", "private", "shared"}  # a failure is not kept


def test_all_pages_of_channels_are_read(workspace: ChannelWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visibility, "_PAGE", 1)
    assert workspace.seen_by(workspace.member) == {"public", "private", "shared"}


def test_people_who_ask_together_cause_one_request(workspace: ChannelWorkspace) -> None:
    async def ask() -> None:
        client = AsyncWebClient(workspace.client.token, base_url=workspace.client.base_url)
        asked = [
            workspace.visibility.channels(Viewer(client, workspace.team.id, workspace.member.id), NO_CHANNELS)
            for _ in range(20)
        ]
        assert len(set(await asyncio.gather(*asked))) == 1

    asyncio.run(ask())
    assert [method for method, _ in workspace.faults.calls].count("users.info") == 1
