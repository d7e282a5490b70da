"""Test that the doctor names each problem and its solution, and nothing else."""

import asyncio
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from findimg.settings import Settings
from findimg_bot.doctor.examination import Finding, examine
from findimg_bot.slack.manifest import read_manifest
from tests.bot.team import WorkspaceThread

KEY = "A" * 43 + "="
NAMES = ["state", "library", "word vectors", "encoder", "bot token", "app token", "allowed", "thumbnail"]
LIVE = ("live library", "live scopes", "live channels", "live catch-up")


@dataclass
class CompleteBot:
    """A complete setup of the bot. Each test breaks one part."""

    slack: WorkspaceThread
    settings: dict[str, Any]
    library: Path

    def examine(self, http: bool = False, **changed: Any) -> list[Finding]:
        return asyncio.run(examine(Settings(**self.settings | changed), http))

    def manifest(self, **changed: Any) -> None:
        """Change the live version's manifest."""
        path = self.library / "versions" / (self.library / "CURRENT").read_text().strip() / "manifest.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changed))


@pytest.fixture
def complete_bot(library: str, cache: Path, tmp_path: Path) -> Iterator[CompleteBot]:
    shutil.copytree(library, tmp_path / "library")
    slack = WorkspaceThread(read_manifest())
    settings = {
        "library": str(tmp_path / "library"),
        "cache": cache,
        "state": str(tmp_path / "bot.sqlite"),
        "slack_api_url": slack.workspace.api_url,
        "slack_bot_token": SecretStr(slack.workspace.bot_token),
        "slack_app_token": SecretStr(slack.workspace.app_token),
        "slack_signing_secret": SecretStr(slack.workspace.signing_secret),
    }
    yield CompleteBot(slack, settings, tmp_path / "library")
    slack.stop()


def test_all_checks_pass(complete_bot: CompleteBot) -> None:
    findings = complete_bot.examine()
    assert [finding.name for finding in findings] == NAMES
    assert [finding.text for finding in findings if not finding.ok] == []
    shown = "\n".join(finding.text for finding in findings)
    for part in ("31 images in", "glove.6B.50d with 400,000 words", "with all scopes", "ready, and deleted again"):
        assert part in shown
    files = complete_bot.slack.workspace.team.files.values()
    assert all(file.deleted for file in files)
    assert all(finding.ok for finding in complete_bot.examine(http=True))


def scopes(complete_bot: CompleteBot) -> None:
    complete_bot.slack.workspace.team.scopes = frozenset({"chat:write", "files:read"})


def fail(method: str, error: str) -> Callable[[CompleteBot], None]:
    return lambda complete_bot: complete_bot.slack.workspace.faults.failing.update({method: error})


def lose_thumbnails(complete_bot: CompleteBot) -> None:
    shutil.rmtree(complete_bot.library / "thumbnails")


def lose_index(complete_bot: CompleteBot) -> None:
    for path in (complete_bot.library / "segments").rglob("visual.f16"):
        path.unlink()


def age(complete_bot: CompleteBot) -> None:
    complete_bot.manifest(created="2020-01-01T00:00:00+00:00")


def unpublish(complete_bot: CompleteBot) -> None:
    (complete_bot.library / "CURRENT").unlink()


def occupy_runs(complete_bot: CompleteBot) -> None:
    shutil.rmtree(complete_bot.library / "runs")
    (complete_bot.library / "runs").write_text("a file where the bot writes a folder")
    complete_bot.settings["live_indexing"] = "on"


def scramble(complete_bot: CompleteBot) -> None:
    (complete_bot.library / "CURRENT").write_text("../../etc")


def break_state(complete_bot: CompleteBot) -> None:
    Path(complete_bot.settings["state"]).mkdir()


def spoil_state(complete_bot: CompleteBot) -> None:
    Path(complete_bot.settings["state"]).write_text("no database" * 100)


def unreachable(complete_bot: CompleteBot) -> None:
    complete_bot.settings["slack_api_url"] = "http://127.0.0.1:9/api/"


def secret(name: str, value: str) -> Callable[[CompleteBot], None]:
    return lambda complete_bot: complete_bot.settings.update({name: SecretStr(value)})


def plain(**values: str) -> Callable[[CompleteBot], None]:
    return lambda complete_bot: complete_bot.settings.update(values)


def many(**values: str) -> Callable[[CompleteBot], None]:
    secrets = {name: SecretStr(value) for name, value in values.items()}
    without = {"slack_bot_token": SecretStr(""), "slack_client_id": "1.2"}
    return lambda complete_bot: complete_bot.settings.update(without | secrets)


@pytest.mark.parametrize(
    ("make_sick", "http", "name", "says"),
    [
        (secret("slack_bot_token", ""), False, "bot token", "FINDIMG_SLACK_BOT_TOKEN is not set"),
        (secret("slack_bot_token", "xoxp-1"), False, "bot token", "FINDIMG_SLACK_BOT_TOKEN does not start with xoxb-"),
        (secret("slack_bot_token", "xoxb-1"), False, "bot token", "Slack rejects FINDIMG_SLACK_BOT_TOKEN"),
        (scopes, False, "bot token", "The token lacks app_mentions:read, channels:history, commands"),
        (unreachable, False, "bot token", "Slack cannot be reached"),
        (secret("slack_app_token", ""), False, "app token", "FINDIMG_SLACK_APP_TOKEN is not set"),
        (secret("slack_app_token", "xoxb-1"), False, "app token", "FINDIMG_SLACK_APP_TOKEN does not start with xapp-"),
        (secret("slack_app_token", "xapp-1"), False, "app token", "Socket Mode cannot be used"),
        (secret("slack_signing_secret", ""), True, "signing secret", "FINDIMG_SLACK_SIGNING_SECRET is not set"),
        (secret("slack_signing_secret", "xoxb-1"), True, "signing secret", "is not 32 hexadecimal digits"),
        (plain(library="/no/such/library"), False, "library", "Nothing is published in /no/such/library"),
        (plain(library=""), False, "library", "No library is named"),
        (unpublish, False, "library", "Nothing is published in"),
        (scramble, False, "library", "names no version"),
        (lose_index, False, "library", "visual.f16 is missing or incomplete"),
        (age, False, "library", "days old. Check the last report"),
        (plain(words="glove.6B.300d"), False, "word vectors", "models pull glove.6B.300d"),
        (plain(weights="/no/such/weights.h5"), False, "encoder", "/no/such/weights.h5"),
        (break_state, False, "state", "--state"),
        (spoil_state, False, "state", "--state"),
        (plain(allow_channels="general"), False, "allowed", "FINDIMG_ALLOW_CHANNELS holds 'general'"),
        (plain(allow_users="@anna"), False, "allowed", "FINDIMG_ALLOW_USERS holds '@anna'"),
        (fail("files.getUploadURLExternal", "not_allowed"), False, "thumbnail", "Slack answered not_allowed"),
        (lose_thumbnails, False, "thumbnail", "Run findimg-jobs verify"),
        (plain(thumbnail_base_url="http://127.0.0.1:9/"), False, "thumbnail", "--thumbnail-base-url"),
        (many(), True, "installation", "FINDIMG_SLACK_CLIENT_SECRET and FINDIMG_SLACK_TOKEN_KEY must be set"),
        (many(slack_client_secret="x", slack_token_key="y"), True, "installation", "must hold a Fernet key"),
        (many(slack_client_secret="x", slack_token_key=KEY), True, "installation", "Set FINDIMG_ALLOW_TEAMS"),
        (plain(live_indexing="on"), False, "live scopes", "The token lacks channels:read, groups:read"),
        (plain(live_indexing="on"), False, "live scopes", "output of findimg-bot manifest --channels --live and"),
        (plain(live_indexing="on"), False, "live channels", "has no source slack://TEAM. Run findimg-jobs index"),
        (occupy_runs, False, "live library", "Live indexing needs the rights of infra/aws/iam-policy.json"),
        (plain(allow_teams="acme"), False, "allowed", "FINDIMG_ALLOW_TEAMS holds 'acme'"),
    ],
)
def test_problem_is_named_with_its_fix(
    complete_bot: CompleteBot, make_sick: Callable[[CompleteBot], None], http: bool, name: str, says: str
) -> None:
    make_sick(complete_bot)
    sick = {finding.name: finding.text for finding in complete_bot.examine(http) if not finding.ok}
    assert says in sick[name]
    assert "xoxb-1" not in str(sick)
    # Others may be sick of the same cause, but nothing that has nothing to do with it.
    related = {
        "library": {"library", "word vectors", "encoder", "thumbnail"},
        "bot token": {"bot token", "app token", "thumbnail"},
        **{key: {*LIVE} for key in LIVE},
    }
    assert set(sick) <= related.get(name, {name})


@pytest.mark.parametrize(
    ("make_sick", "cause", "waiting"),
    [
        (unpublish, "library", {"word vectors", "encoder", "thumbnail"}),
        (secret("slack_bot_token", "xoxb-1"), "bot token", {"thumbnail"}),
    ],
)
def test_checks_with_the_same_cause_are_skipped(
    complete_bot: CompleteBot, make_sick: Callable[[CompleteBot], None], cause: str, waiting: set[str]
) -> None:
    make_sick(complete_bot)
    sick = {finding.name: finding.text for finding in complete_bot.examine(False) if not finding.ok}
    assert {name for name, text in sick.items() if text == f'Skipped: fix "{cause}" first.'} == waiting
