"""Test that uploads of one answer are completed together, against the local workspace."""

import asyncio
from collections.abc import Iterator
from functools import partial

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from findimg.errors import StorageError
from findimg_bot.local_slack.model.state import File
from findimg_bot.slack.manifest import read_manifest
from findimg_bot.slack.pictures.upload import UploadBatch
from tests.bot.local_slack.conftest import png
from tests.bot.team import WorkspaceThread

COMPLETE = "files.completeUploadExternal"


@pytest.fixture(scope="module")
def slack() -> Iterator[WorkspaceThread]:
    slack = WorkspaceThread(read_manifest())
    yield slack
    slack.stop()


@pytest.fixture(autouse=True)
def calm(slack: WorkspaceThread) -> Iterator[None]:
    """Forget the calls before each test, and remove its faults afterwards."""
    slack.workspace.faults.calls.clear()
    yield
    slack.workspace.faults.failing.clear()


def completions(slack: WorkspaceThread) -> int:
    return [method for method, _ in slack.workspace.faults.calls].count(COMPLETE)


def upload(slack: WorkspaceThread, *names: str, lost: str = "") -> dict[str, File | BaseException]:
    """Upload pictures together. Return for each its file in Slack, or why there is none.

    Args:
        lost: name of a picture that cannot be read.
    """

    def read(name: str) -> bytes:
        if name == lost:
            raise StorageError("The library lost it.")
        return png()

    async def run() -> list[str | BaseException]:
        client = AsyncWebClient(slack.workspace.bot_token, base_url=slack.workspace.api_url)
        batch = UploadBatch(client, len(names))
        uploads = (batch.upload(partial(read, name), name, f"Title of {name}") for name in names)
        return await asyncio.gather(*uploads, return_exceptions=True)

    found = asyncio.run(run())
    files = slack.workspace.team.files
    return {name: files[each] if isinstance(each, str) else each for name, each in zip(names, found, strict=True)}


def test_pictures_are_completed_with_one_call_and_each_is_a_file(slack: WorkspaceThread) -> None:
    found = upload(slack, *"abcdefgh")
    assert completions(slack) == 1
    assert {name: (file.title, file.complete) for name, file in found.items() if isinstance(file, File)} == {
        name: (f"Title of {name}", True) for name in "abcdefgh"
    }


def test_picture_that_cannot_be_read_delays_and_fails_no_other(slack: WorkspaceThread) -> None:
    found = upload(slack, "a", "lost", "b", lost="lost")
    assert isinstance(found["lost"], StorageError)
    assert isinstance(found["a"], File)
    assert isinstance(found["b"], File)
    assert completions(slack) == 1


def test_file_that_slack_refuses_fails_alone(slack: WorkspaceThread, monkeypatch: pytest.MonkeyPatch) -> None:
    complete = AsyncWebClient.files_completeUploadExternal
    client_files: list[list[dict[str, str]]] = []

    async def without_second(self: AsyncWebClient, *, files: list[dict[str, str]]) -> object:
        client_files.append(files)
        wrong = [{**each, "id": "F0"} if each["title"] == "Title of b" else each for each in files]
        return await complete(self, files=wrong)

    monkeypatch.setattr(AsyncWebClient, "files_completeUploadExternal", without_second)
    found = upload(slack, "a", "b", "c")
    assert isinstance(found["b"], SlackApiError)
    assert isinstance(found["a"], File)
    assert isinstance(found["c"], File)
    assert sorted(map(len, client_files)) == [1, 1, 1, 3]


def test_refused_call_fails_all_at_once(slack: WorkspaceThread) -> None:
    slack.workspace.faults.failing[COMPLETE] = "storage_limit_reached"
    found = upload(slack, "a", "b")
    assert [str(each.response["error"]) for each in found.values() if isinstance(each, SlackApiError)] == [
        "storage_limit_reached"
    ] * 2
    assert completions(slack) == 1


def test_file_that_is_sent_late_is_completed_alone(slack: WorkspaceThread, monkeypatch: pytest.MonkeyPatch) -> None:
    send = UploadBatch._send

    async def send_slowly(self: UploadBatch, url: str, data: bytes, filename: str) -> None:
        while filename == "late" and not completions(slack):
            await asyncio.sleep(0.05)
        await send(self, url, data, filename)

    monkeypatch.setattr(UploadBatch, "_send", send_slowly)
    found = upload(slack, "a", "b", "late")
    assert all(isinstance(each, File) and each.complete for each in found.values())
    assert completions(slack) == 2
