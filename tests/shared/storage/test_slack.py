"""Test Slack as a source against the local workspace, over real HTTP."""

import hashlib
import io
import json
from collections.abc import Iterator
from pathlib import Path

import PIL.Image
import pytest
from pillow_heif import register_heif_opener

import findimg
from findimg.errors import FindimgError, ImageError, ObjectMissingError, SettingsError, StorageError
from findimg.images import Image, decode
from findimg.library.channels_off import switch_off, switch_on
from findimg.library.library import Library
from findimg.settings import Settings
from findimg.storage import slack
from findimg.storage.base import open_storage, read_uri
from findimg_bot.local_slack.model.state import Channel, File
from findimg_bot.local_slack.workspace import Workspace
from findimg_bot.slack.manifest import read_manifest
from findimg_jobs.indexing import embed_worker
from findimg_jobs.indexing.run import index
from tests.bot.team import WorkspaceThread

SCOPES = ["channels:read", "groups:read"]


class Room:
    """A workspace whose app may list channels."""

    def __init__(self, scopes: list[str] = SCOPES) -> None:
        manifest = read_manifest()
        manifest["oauth_config"]["scopes"]["bot"] += scopes
        self.slack = WorkspaceThread(manifest)
        self.workspace: Workspace = self.slack.workspace
        self.team = self.workspace.team

    @property
    def uri(self) -> str:
        return f"slack://{self.team.id}"

    def channel(self, name: str, private: bool = False, bot: bool = True) -> Channel:
        channel: Channel = self.slack.call(self.team.add_channel, name, private=private, bot=bot)
        return channel

    def share(self, channel: Channel, name: str, data: bytes) -> File:
        person = self.workspace.person()
        file: File = self.slack.call(person.upload, name, data)
        self.slack.run(person.send(channel.id, "", files=[file.id]))
        return file


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Iterator[Room]:
    room = Room()
    monkeypatch.setenv("FINDIMG_SLACK_BOT_TOKEN", room.workspace.bot_token)
    monkeypatch.setenv("FINDIMG_SLACK_API_URL", room.workspace.api_url)
    yield room
    room.slack.stop()


@pytest.fixture
def cat(samples: Path) -> bytes:
    return (samples / "cat.png").read_bytes()


def listed(uri: str) -> list[str]:
    return sorted(entry.uri for entry in open_storage(uri).list())


def test_images_of_all_channels_with_the_bot_are_listed(room: Room, cat: bytes) -> None:
    public, private = room.channel("photos"), room.channel("secret", private=True)
    without_bot, direct = room.channel("other", bot=False), room.team.direct(room.workspace.me.id)
    files = [room.share(each, "Cat 1.png", cat) for each in (public, private, without_bot, direct)]
    room.share(public, "notes.txt", b"no image")
    room.slack.call(room.workspace.add_remote_file, "far.jpg", "https://example.com/far.jpg", public)
    name = files[0].name
    assert listed(room.uri) == sorted(
        [f"{room.uri}/{public.id}/{files[0].id}/{name}", f"{room.uri}/{private.id}/{files[1].id}/{name}"]
    )
    assert listed(f"{room.uri}/{private.id}") == [f"{room.uri}/{private.id}/{files[1].id}/{name}"]
    (entry,) = open_storage(f"{room.uri}/{public.id}").list()
    assert (entry.size, entry.etag) == (len(cat), files[0].id)
    assert entry.modified == pytest.approx(files[0].created, abs=1)
    assert read_uri(entry.uri) == cat
    assert read_uri(entry.uri, 100) == cat[:100]


def test_only_the_named_channels_are_listed(room: Room, cat: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = room.channel("photos"), room.channel("more")
    file, _ = room.share(first, "cat.png", cat), room.share(second, "cat.png", cat)
    monkeypatch.setenv("FINDIMG_INDEX_CHANNELS", f"C0000 {first.id}")
    slack.SlackAccess.of(Settings(), room.team.id).use()
    assert listed(room.uri) == [f"{room.uri}/{first.id}/{file.id}/cat.png"]
    assert listed(f"{room.uri}/{second.id}") == []


def test_channel_that_is_off_leaves_the_library(room: Room, samples: Path, tmp_path: Path, cache: Path) -> None:
    channel, other = room.channel("photos"), room.channel("more")
    for name in ("cat.png", "dalmatian.jpg", "geese.jpg"):
        room.share(channel, name, (samples / name).read_bytes())
    room.share(other, "eagle.jpg", (samples / "eagle.jpg").read_bytes())
    settings = Settings(library=str(tmp_path / "library"), engine="local", cache=cache)
    assert index(settings, [room.uri]).images == 4
    storage = Library(settings.library, cache).storage
    switch_off(storage, room.team.id, channel.id)
    # Most images are gone, as the members of the channel want it.
    assert (report := index(settings, [room.uri])).images == 1
    assert (report.outcome, report.removed) == ("published", 3)
    switch_on(storage, room.team.id, channel.id)
    assert index(settings, [room.uri]).images == 4


def test_all_pages_of_files_are_listed(room: Room, cat: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slack, "_PAGE", 2)
    channel = room.channel("photos")
    files = {room.share(channel, f"{number}.png", cat).id for number in range(5)}
    assert {uri.split("/")[4] for uri in listed(room.uri)} == files


def test_limited_requests_are_repeated(room: Room, cat: bytes) -> None:
    channel = room.channel("photos")
    room.share(channel, "cat.png", cat)
    room.workspace.faults.rate_limited = {"files.list": 1, "conversations.list": 1}
    assert len(listed(room.uri)) == 1


def test_images_are_indexed_and_removed_with_their_files(
    room: Room, cat: bytes, samples: Path, tmp_path: Path, cache: Path
) -> None:
    channel, other = room.channel("photos"), room.channel("more")
    first = room.share(channel, "cat.png", cat)
    room.share(other, "eagle.jpg", (samples / "eagle.jpg").read_bytes())
    room.share(other, "broken.png", cat[:200])
    settings = Settings(library=str(tmp_path / "library"), engine="local", cache=cache)
    report = index(settings, [room.uri])
    assert (report.images, report.failed) == (2, 1)
    assert index(settings, [room.uri]).embedded == 0
    first.deleted = True
    report = index(settings, [room.uri])
    assert (report.images, report.removed, report.embedded) == (1, 1, 0)
    manifest = Library(settings.library, cache).live_manifest()
    assert manifest
    assert manifest.sources == [room.uri]


def test_heic_image_that_cannot_be_decoded_is_indexed_by_slacks_jpeg(
    room: Room, cat: bytes, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register_heif_opener()
    photo = io.BytesIO()
    PIL.Image.open(io.BytesIO(cat)).convert("RGB").resize((1200, 900)).save(photo, "HEIF", quality=50)
    channel = room.channel("photos")
    room.share(channel, "IMG_1.HEIC", photo.getvalue())
    room.share(channel, "broken.heic", photo.getvalue()[:300])
    decoded: list[bytes] = []

    def decode_without_heif(data: bytes) -> Image:
        decoded.append(data)
        if data[4:8] == b"ftyp":
            raise ImageError("The file is truncated or broken.")
        return decode(data)

    monkeypatch.setattr(embed_worker, "decode", decode_without_heif)
    settings = Settings(library=str(tmp_path / "library"), engine="local", cache=cache)
    report = index(settings, [room.uri])
    assert (report.images, report.failed) == (1, 1)
    assert sum(data.startswith(b"\xff\xd8") for data in decoded) == 1
    with findimg.open(settings.library, cache=cache) as library:
        (hit,) = library.search("cat")
        assert hit.uri.endswith("/IMG_1.HEIC")
        assert hit.sha256 == hashlib.sha256(photo.getvalue()).hexdigest()


def test_unreadable_files_are_reported(room: Room, cat: bytes) -> None:
    channel = room.channel("photos")
    file = room.share(channel, "cat.png", cat)
    uri = f"{room.uri}/{channel.id}/{file.id}/cat.png"
    room.workspace.faults.files_moved_to = "https://example.com/"
    with pytest.raises(StorageError, match="Slack answered with status 302"):
        read_uri(uri)
    room.workspace.faults.files_moved_to = None
    file.deleted = True
    with pytest.raises(StorageError, match=r"Slack sent a login page|does not exist in Slack"):
        read_uri(uri)
    with pytest.raises(ObjectMissingError):
        read_uri(f"{room.uri}/{channel.id}/cat.png")


def test_slack_is_no_place_for_a_library(room: Room) -> None:
    storage = open_storage(room.uri)
    with pytest.raises(StorageError, match=r"can be indexed but not written\. Name a folder or an s3:// prefix"):
        storage.write("CURRENT", b"")


@pytest.mark.parametrize("address", ["slack://", "slack://t1", "slack://T123/../x", "slack://T123/C123/F1/a.jpg/b"])
def test_malformed_address_is_refused(address: str) -> None:
    with pytest.raises(SettingsError):
        open_storage(address)


def test_missing_token_or_other_workspace_is_refused(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match=rf"is a token of the workspace {room.team.id}, not of T0000"):
        listed("slack://T0000")
    monkeypatch.delenv("FINDIMG_SLACK_BOT_TOKEN")
    with pytest.raises(SettingsError, match="Set FINDIMG_SLACK_BOT_TOKEN"):
        listed("slack://T0001")


def test_missing_scope_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    room = Room(scopes=[])
    try:
        monkeypatch.setenv("FINDIMG_SLACK_BOT_TOKEN", room.workspace.bot_token)
        monkeypatch.setenv("FINDIMG_SLACK_API_URL", room.workspace.api_url)
        with pytest.raises(StorageError, match=r"missing_scope\. Add the scope channels:read and install"):
            listed(room.uri)
    finally:
        room.slack.stop()


def test_token_is_never_in_a_message(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    room.workspace.faults.revoked = True
    with pytest.raises(FindimgError) as error:
        listed(room.uri)
    assert "xoxb" not in json.dumps(str(error.value))
