"""Test thumbnails while Slack does not accept them. Tests of the listeners check accepted ones."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from findimg.errors import ObjectMissingError
from findimg.search.answers.results import Hit
from findimg.storage.base import Storage, open_storage
from findimg_bot.errors import slack_failure
from findimg_bot.slack.blocks.results.results_page import HitThumbnails
from findimg_bot.slack.pictures import thumbnails
from findimg_bot.slack.pictures.thumbnails import Thumbnails
from findimg_bot.state.store import Store

CAT = Hit("s3://photos/cat.jpg", 0.8, 0, 640, 480, "ca" * 32, None)
DOG = replace(CAT, uri="s3://photos/dog.jpg", sha256="d0" * 32)
NOBODY = "http://127.0.0.1:1/api/"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the proxy from the environment. The client would use it even for this machine."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "bot.sqlite")
    yield store
    store.close()


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    """Return a library with two thumbnails."""
    storage = open_storage(str(tmp_path / "library"))
    for hit in (CAT, DOG):
        storage.write(hit.thumbnail, b"\xff\xd8 a small photograph")
    return storage


@asynccontextmanager
async def silence() -> AsyncIterator[str]:
    """Yield the address of a Slack that accepts connections and never responds."""
    hold = asyncio.Event()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await hold.wait()
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    yield f"http://{host}:{port}/api/"
    hold.set()
    server.close()
    await server.wait_closed()


def client(address: str = NOBODY) -> AsyncWebClient:
    return AsyncWebClient("xoxb-secret", base_url=address, retry_handlers=[])


def show(store: Store, storage: Storage, *hits: Hit, base_url: str = "") -> HitThumbnails:
    """Return what can be shown while Slack cannot be reached."""
    return asyncio.run(Thumbnails(store, storage, base_url).for_hits(client(), "T1", hits))


def test_public_address_needs_no_upload(store: Store, storage: Storage) -> None:
    pictures = show(store, storage, CAT, DOG, base_url="https://cdn.example.com/library/")
    assert pictures == HitThumbnails(
        {hit.sha256: {"image_url": f"https://cdn.example.com/library/{hit.thumbnail}"} for hit in (CAT, DOG)}
    )
    assert store.uploaded_hashes() == {}


def test_address_over_slacks_limit_is_left_out(store: Store, storage: Storage) -> None:
    length = len(CAT.thumbnail)
    at = "https://cdn.example.com/".ljust(2999 - length, "x") + "/"
    assert CAT.sha256 in show(store, storage, CAT, base_url=at).sources
    assert show(store, storage, CAT, base_url=at + "x/").sources == {}


def test_known_thumbnails_need_no_call(store: Store, storage: Storage) -> None:
    store.save_thumbnail("T1", CAT.sha256, "F1")
    store.save_thumbnail("T1", DOG.sha256, "F2")
    assert show(store, storage, CAT, DOG) == HitThumbnails(
        {CAT.sha256: {"slack_file": {"id": "F1"}}, DOG.sha256: {"slack_file": {"id": "F2"}}}
    )


def test_thumbnails_of_another_team_are_not_used(store: Store, storage: Storage) -> None:
    store.save_thumbnail("T2", CAT.sha256, "F1")
    assert show(store, storage, CAT).sources == {}


def test_answer_without_images_needs_no_thumbnails(store: Store, storage: Storage) -> None:
    assert show(store, storage) == HitThumbnails()


def test_unreachable_slack_leaves_known_thumbnails_and_a_reason(store: Store, storage: Storage) -> None:
    store.save_thumbnail("T1", CAT.sha256, "F1")
    pictures = show(store, storage, CAT, DOG)
    assert pictures.sources == {CAT.sha256: {"slack_file": {"id": "F1"}}}
    assert pictures.sheet is None
    assert pictures.note == "Some thumbnails are missing: Slack cannot be reached (ClientConnectorError)."


def test_lost_thumbnail_is_reported_to_people_and_operator(
    store: Store, storage: Storage, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    storage.delete(CAT.thumbnail)
    pictures = show(store, storage, CAT)
    assert pictures.note == "Some thumbnails are missing: the library cannot be read."
    assert storage.uri(CAT.thumbnail) in caplog.text


def test_unresponsive_slack_is_not_awaited(store: Store, storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("EACH_SECONDS", "SHEET_SECONDS"):
        monkeypatch.setattr(thumbnails, name, 0.1)

    async def run() -> HitThumbnails:
        async with silence() as address:
            shower = Thumbnails(store, storage, "")
            pictures = await shower.for_hits(client(address), "T1", [CAT])
            await shower.stop()
            return pictures

    # The whole test has this long, a call alone would wait for 30 seconds.
    pictures = asyncio.run(asyncio.wait_for(run(), 20))
    assert pictures.note == "Some thumbnails are missing: Slack takes long to accept thumbnails."


def test_endless_upload_is_given_up(store: Store, storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thumbnails, "READY_SECONDS", 0.1)
    monkeypatch.setattr(thumbnails, "SHEET_SECONDS", 0.1)

    async def run() -> HitThumbnails:
        async with silence() as address:
            return await Thumbnails(store, storage, "").for_hits(client(address), "T1", [CAT])

    assert asyncio.run(asyncio.wait_for(run(), 20)).note == "Some thumbnails are missing: Slack took too long."


def test_refused_thumbnails_are_deleted_for_that_team(store: Store, storage: Storage) -> None:
    for team in ("T1", "T2"):
        store.save_thumbnail(team, CAT.sha256, "F1")
        store.save_thumbnail(team, DOG.sha256, "F2")
    asyncio.run(Thumbnails(store, storage, "").refused("T1", [CAT]))
    assert store.uploaded_hashes() == {"T1": [DOG.sha256], "T2": [CAT.sha256, DOG.sha256]}


def test_failed_deletion_is_retried_later(store: Store, storage: Storage, caplog: pytest.LogCaptureFixture) -> None:
    store.save_thumbnail("T1", CAT.sha256, "F1")
    asyncio.run(Thumbnails(store, storage, "").remove(client(), "T1", [CAT.sha256, "unknown"]))
    assert store.uploaded_hashes() == {"T1": [CAT.sha256]}
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING] == [
        "The thumbnail F1 of a removed image was not deleted: Slack cannot be reached (ClientConnectorError)"
    ]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (SlackApiError("failed", {"ok": False, "error": "ratelimited"}), "Slack answered ratelimited"),
        (SlackApiError("failed", {"ok": False, "error": "token_revoked"}), "Slack answered token_revoked"),
        (TimeoutError(), "Slack took too long"),
        (aiohttp.ServerDisconnectedError(), "Slack cannot be reached (ServerDisconnectedError)"),
        (OSError("https://files.slack.com/upload/v1/secret"), "Slack cannot be reached (OSError)"),
        (ObjectMissingError("/library/thumbnails/ca.jpg is missing."), "the library cannot be read"),
    ],
)
def test_failure_reason_contains_no_address_or_token(error: BaseException, words: str) -> None:
    assert slack_failure(error) == words
