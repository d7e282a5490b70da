"""Test hostile text, uploads and links, and faults of Slack: the person gets an answer or a reason."""

import io
import json
import re
import struct
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from findimg_bot.state.store import Store
from tests.bot.person import BrowserUser, Json, Recorder, elements, images, until, words
from tests.bot.team import Team

pytestmark = pytest.mark.slow


@pytest.fixture
def no_thumbnails(team: Team) -> None:
    """Forget all uploads, also those that the bot still checks in the background."""
    team.faults.calls.append(("files.", {}))
    while any(method.startswith("files.") for method, _ in team.faults.calls):
        team.faults.calls.clear()
        time.sleep(1.3)
    store = Store(Path(team.environment["FINDIMG_STATE"]))
    for name, hashes in store.uploaded_hashes().items():
        store.forget_thumbnails(name, hashes)
    store.close()


@pytest.fixture(autouse=True)
def remove_faults(team: Team):
    """After each test, remove all faults and check that the bot answers."""
    yield
    faults = team.faults
    faults.ready_after, faults.revoked, faults.login_page = 0.0, False, False
    faults.file_length, faults.files_moved_to = None, None
    faults.rate_limited.clear()
    faults.failing.clear()
    assert "dalmatian.jpg" in words(team.person.command(team.person.channel(), "/findimg dalmatian"))


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("cat " * 2500, "Shorten it to 1000"),
        ("\u202ecat\u200b", "Images for *cat*"),
        ("<@U123|anna> dalmatian", "Images for *dalmatian*"),
        ("<!channel> dalmatian", "Nothing here shows 'channel'"),
        ("&lt;!channel&gt;", "."),
        ("<https://example.com|example.com>", "."),
        ("*dalmatian* `x`", "Images for *dalmatian x*"),
        ("in:../../etc dalmatian", "No folder has"),
        ("like:file:///etc/passwd", "No image"),
        ("\x00\x01dalmatian", "Images for *dalmatian*"),
        ("🐘", "Images for *:elephant:*"),
        ("'; DROP TABLE images; --", "."),
    ],
)
def test_any_typed_text_gets_an_answer_without_notifications(team: Team, typed: str, said: str) -> None:
    answer = team.person.command(team.person.channel(), f"/findimg {typed}")
    shown = words(answer) + answer["text"]
    assert said in shown
    assert "\u202e" not in shown
    assert len(shown) < 8000
    formatted = json.dumps([each for each in texts(answer["blocks"]) if each["type"] == "mrkdwn"]) + answer["text"]
    assert not re.search("<[@!](?!date)", formatted)


def texts(value: Any) -> Iterator[Json]:
    """Yield every text object in blocks."""
    if isinstance(value, list):
        for each in value:
            yield from texts(each)
    elif isinstance(value, dict):
        if value.get("type") in ("mrkdwn", "plain_text"):
            yield value
        for each in value.values():
            yield from texts(each)


def bomb() -> bytes:
    """Return a PNG of some kilobytes whose header declares 40,000 × 40,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 10**6))
        + chunk(b"IEND", b"")
    )


def polyglot() -> bytes:
    """Return a JPEG that is also an HTML page and a ZIP file."""
    file = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(file, "JPEG", comment=b"<html><script>alert(1)</script></html>")
    return file.getvalue() + b"PK\x05\x06" + b"\0" * 18


def truncated() -> bytes:
    file = io.BytesIO()
    Image.effect_noise((256, 256), 50).save(file, "JPEG")
    return file.getvalue()[:3000]


@pytest.mark.parametrize(
    ("data", "said"),
    [(bomb(), "too many pixels"), (truncated(), "truncated or broken"), (polyglot(), "*broken.png*")],
)
def test_hostile_image_gets_an_error_message(team: Team, data: bytes, said: str) -> None:
    channel = team.person.channel()
    file = team.person.upload("broken.png", data)
    team.person.ask("send", channel=channel, text="", files=[file["id"]])
    message = team.person.wait(channel, lambda each: each.get("files"))
    team.person.ask("shortcut", callback_id="tag_image", channel=channel, ts=message["ts"])
    answer = team.person.wait(channel, lambda each: each["ts"] != message["ts"] and "blocks" in each)
    assert said in words(answer)
    assert "script" not in words(answer)


def asked_to_tag(team: Team, samples: Path) -> Json:
    """Upload an image and return the answer to `/tag` about it."""
    channel = team.person.channel()
    team.person.share(channel, samples / "cat.png")
    return team.person.command(channel, "/tag")


def test_login_page_instead_of_an_image_is_reported(team: Team, samples: Path) -> None:
    team.faults.login_page = True
    assert "Slack sent a login page instead of that image" in words(asked_to_tag(team, samples))


def test_five_gigabytes_are_not_downloaded(team: Team, samples: Path) -> None:
    team.faults.file_length = 5 * 2**30
    assert "more than the limit" in words(asked_to_tag(team, samples))


def test_redirect_is_not_followed_and_gets_no_token(team: Team, samples: Path) -> None:
    with Recorder() as elsewhere:
        team.faults.files_moved_to = f"{elsewhere.address}/x.png"
        assert "refused to send that image" in words(asked_to_tag(team, samples))
        assert elsewhere.asked == []


def test_remote_file_is_not_downloaded(team: Team) -> None:
    with Recorder() as internal:
        workspace, channel = team.slack.workspace, team.person.channel()
        team.slack.call(
            workspace.add_remote_file,
            "cat.png",
            f"{internal.address}/latest/meta-data",
            workspace.team.channel(channel),
        )
        message = team.person.wait(channel, lambda each: each.get("files"))
        team.person.ask("shortcut", callback_id="tag_image", channel=channel, ts=message["ts"])
        answer = team.person.wait(channel, lambda each: each["ts"] != message["ts"] and "blocks" in each)
        assert "Upload it here" in words(answer) or "has no image" in words(answer)
        assert internal.asked == []


def test_image_of_a_private_channel_stays_private(team: Team, samples: Path) -> None:
    workspace = team.slack.workspace
    insider = team.slack.call(workspace.team.add_user, "insider")
    private = team.slack.call(workspace.team.add_channel, "secret", private=True, bot=True, members=[insider.id])
    message = BrowserUser(workspace.address, insider.token).share(private.id, samples / "cat.png")
    channel = team.person.channel()
    file = message["files"][0]
    links = [
        file["permalink"],
        f"{team.slack.workspace.team.url}archives/{private.id}/p{message['ts'].replace('.', '')}",
    ]
    for link in links:
        answer = team.person.command(channel, f"/tag {link}")
        assert "That image is not visible" in words(answer)
        assert not images(answer)


def test_button_of_another_person_is_refused(team: Team) -> None:
    workspace = team.slack.workspace
    channel = workspace.team.channel("general").id
    mine, other = team.person, BrowserUser(workspace.address, team.slack.call(workspace.team.add_user, "curious").token)
    animals = mine.command(channel, "/findimg animal")["blocks"]
    secret = next(e["value"] for _, e in elements(animals) if e["action_id"] == "next")
    theirs = other.command(channel, "/findimg dalmatian")
    kept = workspace.team.message(channel, theirs["ts"]).content["blocks"]
    for _, element in elements(kept):
        team.slack.call(element.update, value=secret)
    other.click(channel, theirs, "change_layout")
    other.wait(channel, lambda message: "That answer has expired" in words(message))


@pytest.mark.usefixtures("no_thumbnails")
def test_late_thumbnails_are_awaited(team: Team) -> None:
    team.faults.ready_after = 1.0
    answer = team.person.command(team.person.channel(), "/findimg bird")
    assert images(answer)
    assert "missing" not in words(answer)


@pytest.mark.usefixtures("no_thumbnails")
def test_rate_limit_is_waited_out(team: Team) -> None:
    team.faults.rate_limited |= {"files.getUploadURLExternal": 3, "files.info": 2}
    answer = team.person.command(team.person.channel(), "/findimg animal")
    assert images(answer)


@pytest.mark.usefixtures("no_thumbnails")
def test_slow_uploads_fall_back_to_a_contact_sheet(team: Team) -> None:
    # Each of eight uploads is refused, retried after a second, and refused again. Then the limit is over.
    team.faults.rate_limited["files.getUploadURLExternal"] = 16
    answer = team.person.command(team.person.channel(), "/findimg animal")
    (sheet,) = images(answer)
    assert sheet["alt_text"].startswith("In this order: ")
    assert sheet["alt_text"].count(",") == 7
    assert "missing" not in words(answer)


@pytest.mark.usefixtures("no_thumbnails")
def test_refused_uploads_leave_text_and_a_reason(team: Team) -> None:
    team.faults.failing["files.completeUploadExternal"] = "storage_limit_reached"
    answer = team.person.command(team.person.channel(), "/findimg animal")
    assert "Slack answered storage_limit_reached" in words(answer)
    assert "More like this" in str(answer["blocks"])


def test_deleted_thumbnail_is_uploaded_again(team: Team) -> None:
    channel = team.person.channel()
    first = team.person.command(channel, "/findimg dalmatian")
    gone = images(first)[0]["slack_file"]["id"]
    delete(team, gone)
    again = images(team.person.command(channel, "/findimg dalmatian"))
    assert again
    assert gone not in [image["slack_file"]["id"] for image in again]


@pytest.mark.usefixtures("no_thumbnails")
def test_revoked_token_is_reported_and_a_new_one_works(team: Team) -> None:
    team.faults.revoked = True
    answer = team.person.command(team.person.channel(), "/findimg strawberry")
    assert "Slack answered token_revoked" in words(answer) or "no longer good" in answer["text"]


@pytest.mark.parametrize("team", ["socket"], indirect=True)
def test_command_works_after_a_dropped_websocket(team: Team) -> None:
    sockets = team.slack.workspace.sockets
    team.slack.call(team.faults.drop_sockets)
    until(lambda: sockets.connections == 0)
    until(lambda: sockets.connections)
    assert "dalmatian.jpg" in words(team.person.command(team.person.channel(), "/findimg dalmatian"))


def delete(team: Team, file: str) -> None:
    """Delete a file in Slack."""
    from slack_sdk import WebClient

    workspace = team.slack.workspace
    WebClient(workspace.bot_token, base_url=workspace.api_url).files_delete(file=file)


@pytest.mark.usefixtures("no_thumbnails")
def test_slow_next_page_leaves_no_progress_message(team: Team) -> None:
    channel = team.person.channel()
    answer = team.person.command(channel, "/findimg animal")
    team.faults.ready_after = 2.5
    team.person.click(channel, answer, "next")
    team.person.wait(channel, lambda each: "9 to 12" in words(each))
    assert not [each for each in team.person.messages(channel) if "Searching" in each["text"]]


# Last, because the bot asks for these thumbnails for a minute, and `no_thumbnails` would wait for the end of that.
@pytest.mark.long
@pytest.mark.parametrize("team", ["socket"], indirect=True)
@pytest.mark.usefixtures("no_thumbnails")
def test_thumbnails_that_never_get_ready_are_left_out_with_a_reason(team: Team) -> None:
    team.faults.ready_after = None
    answer = team.person.command(team.person.channel(), "/findimg fruit")
    assert not images(answer)
    assert "Some thumbnails are missing: Slack takes long to accept thumbnails" in words(answer)
    assert ".jpg" in words(answer)
