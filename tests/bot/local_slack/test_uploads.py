import json
import urllib.error
import urllib.request
from typing import Any

import pytest
from slack_sdk import WebClient

from findimg_bot.local_slack.model.files import FILE_BYTES
from findimg_bot.local_slack.workspace import Workspace
from tests.bot.local_slack.conftest import png, refused
from tests.bot.person import BrowserUser, Json, until
from tests.bot.team import WorkspaceThread


def image_block(**slack_file: str) -> Json:
    return {"type": "image", "slack_file": slack_file, "alt_text": "a cat"}


def upload(client: WebClient, **more: Any) -> Json:
    arguments: Json = {"file": png(), "filename": "cat.png", "title": "A cat"} | more
    return dict(client.files_upload_v2(**arguments)["files"][0])


def test_uploaded_image_is_private_until_shared(workspace: Workspace, client: WebClient) -> None:
    file = upload(client)
    assert (file["mimetype"], file["filetype"], file["title"], file["size"]) == (
        "image/png",
        "png",
        "A cat",
        len(png()),
    )
    assert (file["original_w"], file["original_h"], file["mode"]) == (30, 20, "hosted")
    assert (file["is_public"], file["channels"], file["user"]) == (False, [], workspace.team.bot.id)
    assert file["permalink"] == f"https://findimg.slack.com/files/{file['user']}/{file['id']}/cat.png"
    assert client.files_info(file=file["id"])["file"] == file


def test_upload_can_share_the_image_at_once(workspace: Workspace, client: WebClient, person: BrowserUser) -> None:
    channel = workspace.team.channel("general").id
    file = upload(client, channel=channel, initial_comment="Look")
    [message] = person.messages(channel)
    assert (message["text"], message["files"][0]["id"]) == ("Look", file["id"])
    shared = client.files_info(file=file["id"])["file"]
    assert (shared["is_public"], shared["channels"]) == (True, [channel])
    assert shared["shares"]["public"][channel][0]["ts"] == message["ts"]
    bad = {"file": png(), "filename": "a.png", "channel": "C0NOWHERE"}
    assert refused(client.files_upload_v2, **bad)["error"] == "invalid_channel"


def test_initial_comment_replaces_blocks(workspace: Workspace, client: WebClient, person: BrowserUser) -> None:
    blocks = json.dumps([{"type": "divider"}])
    for comment in ("Look", ""):
        begun = client.files_getUploadURLExternal(filename="a.png", length=3)
        urllib.request.urlopen(begun["upload_url"], b"abc", timeout=10).close()
        client.files_completeUploadExternal(
            files=[{"id": begun["file_id"], "title": "x"}],
            channel_id=workspace.team.channel("general").id,
            initial_comment=comment,
            blocks=blocks,
        )
    assert ["blocks" in message for message in person.messages(workspace.team.channel("general").id)] == [False, True]


def test_upload_address_accepts_a_form_and_works_once(client: WebClient) -> None:
    begun = client.files_getUploadURLExternal(filename="a.png", length=len(png()))
    body = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n' + png() + b"\r\n--x--\r\n"
    request = urllib.request.Request(
        begun["upload_url"], body, headers={"Content-Type": "multipart/form-data; boundary=x"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.read() == f"OK - {len(png())}".encode()
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(begun["upload_url"], png(), timeout=10)
    done = client.files_completeUploadExternal(files=[{"id": begun["file_id"], "title": "x"}])
    assert done["files"][0]["mimetype"] == "image/png"
    again = refused(client.files_completeUploadExternal, files=[{"id": begun["file_id"], "title": "x"}])
    assert again["error"] == "file_not_found"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"filename": "a.png", "length": 0}, "missing_argument"),
        ({"filename": "", "length": 3}, "missing_argument"),
        ({"filename": "a.png", "length": FILE_BYTES + 1}, "file_upload_size_restricted"),
        ({"filename": "a.png", "length": 3, "alt_txt": "x" * 1001}, "alt_txt_too_large"),
    ],
)
def test_invalid_upload_request_is_refused(client: WebClient, arguments: Json, error: str) -> None:
    assert refused(client.files_getUploadURLExternal, **arguments)["error"] == error


def test_upload_without_bytes_cannot_be_completed(client: WebClient) -> None:
    begun = client.files_getUploadURLExternal(filename="a.png", length=3)
    for name in (begun["file_id"], "F0NOTHING"):
        answer = refused(client.files_completeUploadExternal, files=[{"id": name, "title": "x"}])
        assert answer["error"] == "file_not_found"


def test_file_that_is_not_ready_is_refused_in_a_block(workspace: Workspace, client: WebClient) -> None:
    workspace.faults.ready_after = 0.3
    file = upload(client)
    assert file["mimetype"] == ""
    early = refused(client.chat_postMessage, channel="general", text="x", blocks=[image_block(id=file["id"])])
    assert early["error"] == "invalid_blocks"
    assert early["errors"] == ["invalid slack file [json-pointer:/blocks/0/slack_file]"]
    until(lambda: client.files_info(file=file["id"])["file"]["mimetype"] == "image/png")
    assert client.chat_postMessage(channel="general", text="x", blocks=[image_block(id=file["id"])])["ok"]


def test_injected_fault_keeps_a_file_unready(workspace: Workspace, client: WebClient) -> None:
    workspace.faults.ready_after = None
    file = upload(client)
    assert client.files_info(file=file["id"])["file"]["mimetype"] == ""
    assert "original_w" not in client.files_info(file=file["id"])["file"]


def test_block_names_a_file_by_id_address_or_permalink(client: WebClient) -> None:
    file = upload(client)
    for slack_file in ({"id": file["id"]}, {"url": file["url_private"]}, {"url": file["permalink"]}):
        assert client.chat_postMessage(channel="general", text="x", blocks=[image_block(**slack_file)])["ok"]


def test_block_with_an_unusable_file_is_refused(slack: WorkspaceThread, client: WebClient) -> None:
    stranger = slack.call(slack.workspace.add_team, "strangers")
    foreign = upload(WebClient(token=stranger.bot_token, base_url=slack.workspace.api_url))
    deleted = upload(client)
    client.files_delete(file=deleted["id"])
    text = upload(client, file=b"plain text")
    webp = upload(client, file=b"RIFF\x00\x00\x00\x00WEBPVP8 ")
    assert (text["mimetype"], webp["mimetype"]) == ("application/octet-stream", "image/webp")
    for name in ("F0NOTHING", foreign["id"], deleted["id"], text["id"], webp["id"]):
        answer = refused(client.chat_postMessage, channel="general", text="x", blocks=[image_block(id=name)])
        assert answer["errors"] == ["invalid slack file [json-pointer:/blocks/0/slack_file]"]


def test_bot_sees_files_of_its_own_channels_only(
    slack: WorkspaceThread, client: WebClient, person: BrowserUser
) -> None:
    team = slack.workspace.team
    foreign = slack.call(team.add_channel, "foreign", bot=False)
    general = team.channel("general")
    hidden, shown = person.upload("a.png", png()), person.upload("b.png", png())
    assert refused(client.files_info, file=shown["id"])["error"] == "file_not_found"
    person.ask("send", channel=foreign.id, text="", files=[hidden["id"]])
    person.ask("send", channel=general.id, text="", files=[shown["id"]])
    assert client.files_info(file=shown["id"])["file"]["user"] == slack.workspace.me.id
    assert refused(client.files_info, file=hidden["id"])["error"] == "file_not_found"
    assert [file["id"] for file in client.files_list()["files"]] == [shown["id"]]
    assert client.files_list(channel=foreign.id)["files"] == []


def test_files_are_listed_newest_first_by_channel_and_type(
    workspace: Workspace, client: WebClient, person: BrowserUser
) -> None:
    channel = workspace.team.channel("general").id
    names = [upload(client, channel=channel, filename=f"{number}.png")["id"] for number in range(3)]
    upload(client, channel=channel, file=b"plain text", filename="a.txt")
    upload(client)
    found = client.files_list(channel=channel, types="images", count=2)
    assert [file["id"] for file in found["files"]] == [names[2], names[1]]
    assert found["paging"] == {"count": 2, "total": 3, "page": 1, "pages": 2}
    assert [file["id"] for file in client.files_list(channel=channel, types="images", count=2, page=2)["files"]] == [
        names[0]
    ]
    assert client.files_list(user=workspace.me.id)["files"] == []
    assert client.files_list(ts_to="1")["files"] == []
    assert refused(client.files_list, types="gifs")["error"] == "unknown_type"
    assert refused(client.files_list, ts_to="now")["error"] == "invalid_arguments"


def test_bot_deletes_only_its_own_files(workspace: Workspace, client: WebClient, person: BrowserUser) -> None:
    channel = workspace.team.channel("general").id
    mine = upload(client, channel=channel)
    theirs = person.upload("a.png", png())
    person.ask("send", channel=channel, text="", files=[theirs["id"]])
    assert refused(client.files_delete, file=theirs["id"])["error"] == "cant_delete_file"
    assert refused(client.files_delete, file="F0NOTHING")["error"] == "file_not_found"
    client.files_delete(file=mine["id"])
    for call in (client.files_info, client.files_delete):
        assert refused(call, file=mine["id"])["error"] == "file_deleted"
    [first, _] = client.conversations_history(channel=channel)["messages"][::-1]
    assert first["files"] == [{"id": mine["id"], "mode": "tombstone"}]
    assert [message["files"] == [] for message in person.messages(channel)] == [True, False]
