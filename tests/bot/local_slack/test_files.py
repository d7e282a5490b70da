import http.client
import io
import struct
import urllib.error
import urllib.request
import zlib
from email.message import Message

import pillow_heif
import pytest
from PIL import Image
from slack_sdk import WebClient

from findimg_bot.local_slack.model.files import image_type, safe_name
from findimg_bot.local_slack.workspace import Workspace
from tests.bot.local_slack.conftest import png
from tests.bot.team import WorkspaceThread


def fetch(url: str, token: str = "") -> tuple[bytes, Message]:
    """Return the bytes and headers at an address."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as answer:
        assert answer.status == 200
        return answer.read(), answer.headers


def address(client: WebClient) -> str:
    """Upload an image and return its download address."""
    return str(client.files_upload_v2(file=png(), filename="cat.png")["file"]["url_private_download"])


def test_bot_token_downloads_files(workspace: Workspace, client: WebClient) -> None:
    for url in (address(client), address(client).replace("/download/", "/")):
        data, headers = fetch(url, workspace.bot_token)
        assert (data, headers.get_content_type()) == (png(), "image/png")


def test_download_without_a_valid_token_returns_the_login_page(slack: WorkspaceThread, client: WebClient) -> None:
    workspace, url = slack.workspace, address(client)
    stranger = slack.call(workspace.add_team, "strangers")

    def is_login_page(token: str) -> bool:
        data, headers = fetch(url, token)
        return headers.get_content_type() == "text/html" and b"Sign in" in data

    assert all(map(is_login_page, ["", "xoxb-made-up", workspace.app_token, stranger.bot_token]))
    workspace.faults.login_page = True
    assert is_login_page(workspace.bot_token)
    workspace.faults.login_page = False
    workspace.team.scopes -= {"files:read"}
    assert is_login_page(workspace.bot_token)


def test_injected_fault_cuts_a_download_short(workspace: Workspace, client: WebClient) -> None:
    url = address(client)
    workspace.faults.file_length = 5 * 2**30
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {workspace.bot_token}"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.headers["Content-Length"] == str(5 * 2**30)
        with pytest.raises(http.client.IncompleteRead) as caught:
            answer.read()
    assert caught.value.partial == png()


def test_injected_fault_redirects_a_download(workspace: Workspace, client: WebClient) -> None:
    url = address(client)
    workspace.faults.files_moved_to = f"{workspace.address}/elsewhere"
    with pytest.raises(urllib.error.HTTPError) as caught:
        fetch(url, workspace.bot_token)
    assert caught.value.url == f"{workspace.address}/elsewhere"
    caught.value.close()


def test_remote_file_is_external_with_its_own_address(slack: WorkspaceThread, client: WebClient) -> None:
    workspace = slack.workspace
    channel = workspace.team.channel("general")
    url = "http://169.254.169.254/latest/meta-data/"
    file = slack.call(workspace.add_remote_file, "cat.jpg", url, channel)
    told = client.files_info(file=file.id)["file"]
    assert (told["mode"], told["is_external"], told["url_private"]) == ("external", True, url)
    assert "url_private_download" not in told
    [message] = client.conversations_history(channel=channel.id)["messages"]
    assert message["files"][0]["id"] == file.id


def bomb() -> bytes:
    """Return a PNG of a few bytes whose header declares 100,000 × 100,000 pixels."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (png(7, 5), ("image/png", 7, 5)),
        (bomb(), ("image/png", 0, 0)),
        (b"GIF89a/*<script>alert(1)</script>", ("image/gif", 0, 0)),
        (b"\xff\xd8\xff\xe0 broken", ("image/jpeg", 0, 0)),
        (b"\x00\x00\x00\x18ftypheic", ("image/heic", 0, 0)),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", ("", 0, 0)),
        (b"<html>", ("", 0, 0)),
        (b"", ("", 0, 0)),
    ],
)
def test_image_type_is_read_from_the_first_bytes(data: bytes, expected: tuple[str, int, int]) -> None:
    # The bytes after GIF89a are read as width and height, so only the type is compared.
    kind, width, height = image_type(data)
    assert kind == expected[0]
    if not data.startswith(b"GIF"):
        assert (width, height) == expected[1:]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("cat.png", "cat.png"),
        ("../../etc/passwd", "passwd"),
        ("C:\\photos\\cat.png", "cat.png"),
        ('a"b\r\nX-Evil: 1.png', "a_b__X-Evil_ 1.png"),
        ("Löwe 狮子.jpg", "Löwe 狮子.jpg"),
        ("..", "file"),
        ("", "file"),
    ],
)
def test_file_name_is_made_safe(given: str, expected: str) -> None:
    assert safe_name(given) == expected


def test_large_image_has_thumbnails_that_the_token_opens(
    slack: WorkspaceThread, workspace: Workspace, client: WebClient
) -> None:
    file = slack.call(workspace.person().upload, "wide cat.png", png(1000, 500))
    slack.run(workspace.person().send("general", "look", files=[file.id]))
    shown = client.files_info(file=file.id)["file"]
    assert (shown["thumb_480_w"], shown["thumb_480_h"]) == (480, 240)
    assert "thumb_1024" not in shown
    for name, size in {"thumb_64": (64, 64), "thumb_480": (480, 240), "thumb_960": (960, 480)}.items():
        request = urllib.request.Request(shown[name], headers={"Authorization": f"Bearer {workspace.bot_token}"})
        with urllib.request.urlopen(request) as answer, Image.open(io.BytesIO(answer.read())) as image:
            assert (image.format, image.size) == ("JPEG", size)
    with urllib.request.urlopen(shown["thumb_64"]) as answer:
        assert answer.headers.get_content_type() == "text/html"


def test_heic_image_has_thumbnails(slack: WorkspaceThread, workspace: Workspace, client: WebClient) -> None:
    data = io.BytesIO()
    pillow_heif.from_pillow(Image.new("RGB", (800, 400), "teal")).save(data)
    file = slack.call(workspace.person().upload, "IMG_1.HEIC", data.getvalue())
    slack.run(workspace.person().send("general", "look", files=[file.id]))
    shown = client.files_info(file=file.id)["file"]
    assert (shown["mimetype"], shown["thumb_720_w"]) == ("image/heic", 720)
    request = urllib.request.Request(shown["thumb_720"], headers={"Authorization": f"Bearer {workspace.bot_token}"})
    with urllib.request.urlopen(request) as answer, Image.open(io.BytesIO(answer.read())) as image:
        assert image.size == (720, 360)
