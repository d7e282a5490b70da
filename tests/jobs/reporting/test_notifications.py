import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from findimg.errors import LockedError, NotPublishedError, SettingsError
from findimg.settings import Settings
from findimg.storage.base import open_storage
from findimg_bot.local_slack.workspace import Workspace
from findimg_jobs.indexing import run
from findimg_jobs.indexing.run import IndexOptions, index
from findimg_jobs.reporting.notifications import notify_when_done
from findimg_jobs.store.lock import hold_lock

MANIFEST = Path(__file__).parents[3] / "bot" / "findimg_bot" / "slack" / "manifest.json"
Nightly = Callable[..., None]


@pytest.fixture(scope="module")
def workspace() -> Iterator[Workspace]:
    """Yield a workspace whose event loop runs in its own thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    workspace = Workspace(json.loads(MANIFEST.read_text()))
    asyncio.run_coroutine_threadsafe(workspace.start(), loop).result(30)
    yield workspace
    asyncio.run_coroutine_threadsafe(workspace.stop(), loop).result(30)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture
def nightly(tmp_path: Path, pictures: Path, cache: Path, workspace: Workspace) -> Nightly:
    """Return a run that reports to the channel and writes metrics."""

    def nightly(channel: str = "general", strict: bool = False, metrics: str = "findimg.prom") -> None:
        settings = Settings(
            library=str(tmp_path / "library"),
            cache=cache,
            engine="local",
            report_channel=channel,
            slack_bot_token=workspace.bot_token,
            slack_api_url=workspace.api_url,
        )
        with notify_when_done(settings, tmp_path / metrics) as on_end:
            index(settings, [str(pictures)], IndexOptions(strict=strict), on_end)

    return nightly


def posts(workspace: Workspace) -> list[str]:
    channel = workspace.team.channel("general")
    assert channel
    return [message.content["text"] for _, message in sorted(workspace.team.messages[channel.id].items())]


def metrics(folder: Path) -> dict[str, float]:
    """Return the value of each metric by its name and its labels without the library."""
    values = {}
    for family in text_string_to_metric_families((folder / "findimg.prom").read_text()):
        for sample in family.samples:
            labels = [value for label, value in sample.labels.items() if label != "library"]
            values[".".join([sample.name, *labels])] = sample.value
    return values


def test_finished_run_is_reported_in_the_channel(nightly: Nightly, workspace: Workspace, pictures: Path) -> None:
    (pictures / "<b>&.jpg").write_text("no image")
    nightly()
    text = posts(workspace)[-1]
    assert text.startswith("*Indexing into ")
    assert "is done.*\n7 images seen: 6 embedded, 0 reused, 1 failed; 0 removed." in text
    assert "&lt;b&gt;&amp;.jpg" in text


def test_failed_run_is_reported_with_the_reason(nightly: Nightly, workspace: Workspace, pictures: Path) -> None:
    (pictures / "broken.jpg").write_text("no image")
    with pytest.raises(NotPublishedError):
        nightly(strict=True)
    text = posts(workspace)[-1]
    assert "failed: 1 image could not be read and --strict is on, so nothing is published.*" in text
    assert "7 images seen" in text


def test_run_with_bad_sources_is_reported_and_locked_run_is_not(
    nightly: Nightly, workspace: Workspace, pictures: Path, tmp_path: Path
) -> None:
    before = len(posts(workspace))
    with hold_lock(open_storage(tmp_path / "library")), pytest.raises(LockedError):
        nightly()
    assert len(posts(workspace)) == before
    assert not (tmp_path / "findimg.prom").exists()
    for path in pictures.iterdir():
        path.unlink()
    with pytest.raises(SettingsError):
        nightly()
    assert "failed: There is no image in" in posts(workspace)[-1]
    assert metrics(tmp_path)["findimg_run_success"] == 0


@pytest.mark.parametrize(
    ("error", "reason"), [(MemoryError(), "MemoryError"), (ValueError("<odd>"), "ValueError: &lt;odd&gt;")]
)
def test_crash_is_reported(
    nightly: Nightly,
    workspace: Workspace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    reason: str,
) -> None:
    def crash(*_: object) -> None:
        raise error

    monkeypatch.setattr(run, "plan_images", crash)
    with pytest.raises(type(error)):
        nightly()
    assert posts(workspace)[-1] == f"*Indexing into {tmp_path}/library failed: It crashed with {reason}. See its log.*"
    assert metrics(tmp_path)["findimg_run_success"] == 0


def test_interrupted_run_is_not_reported(
    nightly: Nightly, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = len(posts(workspace))
    monkeypatch.setattr(run, "plan_images", interrupt)
    with pytest.raises(KeyboardInterrupt):
        nightly()
    assert len(posts(workspace)) == before
    assert not (tmp_path / "findimg.prom").exists()


def test_metrics_file_has_the_figures_of_the_last_run(nightly: Nightly, tmp_path: Path) -> None:
    nightly()
    found = metrics(tmp_path)
    assert found["findimg_run_success"] == 1
    assert found["findimg_run_images.seen"] == found["findimg_run_images.embedded"] == 6
    assert found["findimg_run_live_images"] == 6
    assert found["findimg_run_read_bytes"] > 0
    assert found["findimg_run_peak_memory_bytes"] > 50e6
    assert {f"findimg_run_stage_seconds.{stage}" for stage in ("list", "plan", "embed", "merge", "publish")} <= set(
        found
    )
    nightly()
    again = metrics(tmp_path)
    assert (again["findimg_run_images.embedded"], again["findimg_run_images.reused"]) == (0, 6)
    assert again["findimg_run_end_timestamp_seconds"] > found["findimg_run_end_timestamp_seconds"]


def test_unknown_channel_is_logged_and_does_not_fail_the_run(
    nightly: Nightly, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    nightly(channel="no-such-channel")
    expected = "The report could not be sent to the Slack channel no-such-channel: channel_not_found."
    assert expected in caplog.messages
    assert metrics(tmp_path)["findimg_run_success"] == 1


def test_channel_without_token_and_file_without_folder_are_refused_before_the_run(
    tmp_path: Path, nightly: Nightly
) -> None:
    with (
        pytest.raises(SettingsError, match=r"channel general without a token\. Set FINDIMG_SLACK_BOT_TOKEN"),
        notify_when_done(Settings(report_channel="general"), None),
    ):
        pytest.fail("the run started")
    with pytest.raises(SettingsError, match=r"The folder .*nowhere of the metrics file does not exist"):
        nightly(metrics="nowhere/findimg.prom")
    assert not (tmp_path / "library").exists()
