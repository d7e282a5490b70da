"""Test one app in many workspaces, installed by OAuth."""

import http.cookiejar
import os
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from findimg_bot.local_slack.model.installation import Organisation
from tests.bot.person import BrowserUser, images, until, words
from tests.bot.team import Team

pytestmark = pytest.mark.slow


class ManyTeams(Team):
    """A bot without its own token."""

    def start(self) -> None:
        workspace = self.slack.workspace
        self.environment |= {
            "FINDIMG_SLACK_BOT_TOKEN": "",
            "FINDIMG_ALLOW_TEAMS": self.environment.get("FINDIMG_ALLOW_TEAMS", "*"),
            "FINDIMG_SLACK_CLIENT_ID": workspace.client_id,
            "FINDIMG_SLACK_CLIENT_SECRET": workspace.client_secret,
            "FINDIMG_SLACK_TOKEN_KEY": self.environment.get("FINDIMG_SLACK_TOKEN_KEY", Fernet.generate_key().decode()),
        }
        super().start()

    def install(self, name: str, **more: Any) -> BrowserUser:
        """Add a team that installs the app, and return a person in it."""
        workspace = self.slack.workspace
        new = self.slack.call(workspace.add_team, name, installed=False, **more)
        owner = next(user for user in new.users.values() if not user.is_bot)
        jar = http.cookiejar.CookieJar(http.cookiejar.DefaultCookiePolicy(secure_protocols=("http", "https")))
        browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
        browser.open(f"{workspace.address}/?token={owner.token}", timeout=30).close()
        with browser.open(f"{self.monitor}/slack/install", timeout=30) as page:
            assert "Thank you" in page.read().decode()
        return BrowserUser(workspace.address, owner.token)


@pytest.fixture(scope="module")
def teams(library: str, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ManyTeams]:
    teams = ManyTeams("http", tmp_path_factory.mktemp("teams"), cache, library)
    yield teams
    teams.close()


def test_each_installed_workspace_gets_its_own_files(teams: ManyTeams) -> None:
    files = []
    for name in ("alpha", "beta"):
        person = teams.install(name)
        answer = person.command(person.channel(), "/findimg animal")
        assert len(images(answer)) == 8
        files.append({image["slack_file"]["id"] for image in images(answer)})
    assert not files[0] & files[1]


def test_stored_tokens_need_the_key(teams: ManyTeams) -> None:
    teams.install("gamma")
    state = Path(teams.environment["FINDIMG_STATE"])
    kept = b"".join(path.read_bytes() for path in state.parent.glob(f"{state.name}*"))
    tokens = [team.bot_token for team in teams.slack.workspace.teams.values()]
    assert all(token.encode() not in kept for token in tokens)
    assert b"slack_installations" in kept


def test_workspace_without_the_app_gets_a_message(teams: ManyTeams) -> None:
    first = teams.person  # the team that the workspace begins with; it never installed the app by OAuth
    answer = first.command(first.channel(), "/findimg animal")
    assert "no longer valid" in answer["text"]


def test_uninstalling_deletes_all_data_of_the_workspace(teams: ManyTeams) -> None:
    person = teams.install("delta")
    person.command(person.channel(), "/findimg animal")
    workspace = teams.slack.workspace
    team = next(team for team in workspace.teams.values() if team.name == "delta")
    state = teams.environment["FINDIMG_STATE"]

    def count() -> int:
        with sqlite3.connect(state) as connection:
            counts = (
                connection.execute(f"SELECT count(*) FROM {table} WHERE {column} = ?", (team.id,)).fetchone()[0]
                for table, column in (
                    ("questions", "team"),
                    ("thumbnails", "team"),
                    ("slack_bots", "team_id"),
                    ("slack_installations", "team_id"),
                )
            )
            return sum(counts)

    assert count() > 0
    teams.slack.call(workspace.uninstall, team)
    until(lambda: count() == 0)


def test_unknown_oauth_state_is_refused(teams: ManyTeams) -> None:
    with pytest.raises(urllib.error.HTTPError, match="400"):
        urllib.request.urlopen(f"{teams.monitor}/slack/oauth_redirect?code=1&state=2", timeout=30)


@pytest.mark.long
def test_workspace_that_is_not_allowed_cannot_install(teams: ManyTeams) -> None:
    person = teams.install("zeta")
    known = teams.slack.workspace.teams.values()
    zeta = next(team for team in known if team.name == "zeta")
    teams.stop()
    teams.environment["FINDIMG_ALLOW_TEAMS"] = "T0OTHER"
    teams.start()
    try:
        with pytest.raises(urllib.error.HTTPError, match="403") as refused:
            teams.install("eta")
        eta = next(team for team in known if team.name == "eta")
        assert f"may not install findimg. Its operator can allow it: FINDIMG_ALLOW_TEAMS needs {eta.id}" in (
            refused.value.read().decode()
        )
        answer = person.command(person.channel(), "/findimg animal")
        assert f"FINDIMG_ALLOW_TEAMS needs {zeta.id}" in answer["text"]
        assert f"The workspace {zeta.id} is refused." in teams.log.read_text()
        teams.stop()
        teams.environment["FINDIMG_ALLOW_TEAMS"] = zeta.id
        teams.start()
        assert images(person.command(person.channel(), "/findimg animal"))
    finally:
        teams.environment["FINDIMG_ALLOW_TEAMS"] = "*"
        teams.restart()


@pytest.mark.long
def test_operator_is_told_when_every_workspace_is_refused(teams: ManyTeams) -> None:
    teams.stop()
    teams.environment["FINDIMG_ALLOW_TEAMS"] = ""
    teams.start()
    try:
        assert "Every workspace is refused, because FINDIMG_ALLOW_TEAMS is empty." in teams.log.read_text()
    finally:
        teams.environment["FINDIMG_ALLOW_TEAMS"] = "*"
        teams.restart()


def test_rotated_tokens_are_renewed_before_they_expire(teams: ManyTeams) -> None:
    workspace = teams.slack.workspace
    workspace.timing.token = 2.0
    try:
        person = teams.install("theta")
        theta = next(team for team in workspace.teams.values() if team.name == "theta")
        first = theta.bot_token
        time.sleep(2.5)
        assert teams.slack.call(theta.installation.is_expired, first)
        assert images(person.command(person.channel(), "/findimg animal"))
        assert theta.bot_token.startswith("xoxe.xoxb-1-")
        assert theta.bot_token != first
        # A refresh that fails leaves a token that is still valid in use.
        workspace.timing.token = 60.0
        person.command(person.channel(), "/findimg animal")
        newest = theta.bot_token
        workspace.faults.failing["oauth.v2.access"] = "internal_error"
        assert images(person.command(person.channel(), "/findimg dog"))
        assert theta.bot_token == newest
        assert f"The token of {theta.id} could not be renewed" in teams.log.read_text()
    finally:
        workspace.timing.token = None
        workspace.faults.failing.clear()


@pytest.mark.parametrize("way", ["uninstall", "revoke"])
def test_org_wide_installation_serves_every_workspace_of_the_organisation(
    teams: ManyTeams, samples: Path, way: str
) -> None:
    workspace = teams.slack.workspace
    acme = Organisation(f"E0ACME{way.upper()}", "Acme")
    first = teams.install(f"acme-{way}", organisation=acme, org_wide=True)
    other = teams.slack.call(workspace.add_team, f"acme-{way}-2", organisation=acme, org_wide=True)
    second = BrowserUser(workspace.address, next(user.token for user in other.users.values() if not user.is_bot))
    for person in (first, second):
        channel = person.channel()
        answer = person.command(channel, "/findimg animal")
        assert len(images(answer)) == 8
        person.click(channel, answer, "next")
        person.wait(channel, lambda each: "9 to " in words(each))
        person.share(channel, samples / "cat.png")
        assert "Tags of *cat.png*" in words(person.command(channel, "/tag"))
        person.ask("send", channel=channel, text=f"<@{other.bot.id}> dalmatian")
        person.wait(channel, lambda each: "Images for *dalmatian*" in words(each))
    with sqlite3.connect(teams.environment["FINDIMG_STATE"]) as connection:
        count = "SELECT count(*) FROM slack_bots WHERE enterprise_id = ?"
        assert connection.execute(count, (acme.id,)).fetchone()[0] > 0
        teams.slack.call(getattr(workspace, way), other)
        until(lambda: connection.execute(count, (acme.id,)).fetchone()[0] == 0)


def test_installation_in_one_workspace_of_an_organisation_serves_only_that_one(teams: ManyTeams) -> None:
    workspace = teams.slack.workspace
    umbrella = Organisation("E0UMBRELLA", "Umbrella")
    person = teams.install("umbrella-1", organisation=umbrella)
    assert images(person.command(person.channel(), "/findimg animal"))
    other = teams.slack.call(workspace.add_team, "umbrella-2", organisation=umbrella)
    stranger = BrowserUser(workspace.address, next(user.token for user in other.users.values() if not user.is_bot))
    assert "no longer valid" in stranger.command(stranger.channel(), "/findimg animal")["text"]


def test_rotated_key_still_reads_old_tokens(teams: ManyTeams) -> None:
    person = teams.install("epsilon")
    teams.stop()
    old = teams.environment["FINDIMG_SLACK_TOKEN_KEY"]
    teams.environment["FINDIMG_SLACK_TOKEN_KEY"] = f"{Fernet.generate_key().decode()} {old}"
    teams.start()
    assert "animal" in words(person.command(person.channel(), "/findimg animal"))


@pytest.mark.parametrize(
    ("missing", "named"),
    [
        ("FINDIMG_SLACK_CLIENT_ID", "FINDIMG_SLACK_BOT_TOKEN for one workspace"),
        ("FINDIMG_SLACK_CLIENT_SECRET", "FINDIMG_SLACK_CLIENT_SECRET"),
        ("FINDIMG_SLACK_TOKEN_KEY", "FINDIMG_SLACK_TOKEN_KEY"),
        ("FINDIMG_SLACK_SIGNING_SECRET", "FINDIMG_SLACK_SIGNING_SECRET"),
        ("FINDIMG_LIBRARY", "FINDIMG_LIBRARY"),
    ],
)
def test_missing_setting_is_named(teams: ManyTeams, missing: str, named: str, tmp_path: Path) -> None:
    environment = os.environ | teams.environment | {missing: "", "FINDIMG_STATE": str(tmp_path / "state")}
    command = [Path(sys.executable).with_name("findimg-bot"), "serve", "--http", "127.0.0.1:0"]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert named in line
