"""One app in many workspaces, installed by OAuth."""

import http.cookiejar
import os
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from tests.bot.person import Person, images, until, words
from tests.bot.team import Team

pytestmark = pytest.mark.slow


class ManyTeams(Team):
    """A bot without a token of its own."""

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

    def install(self, name: str) -> Person:
        """A new team installs the app; gives a person in it."""
        workspace = self.slack.workspace
        new = self.slack.call(workspace.add_team, name, installed=False)
        owner = next(user for user in new.users.values() if not user.is_bot)
        jar = http.cookiejar.CookieJar(http.cookiejar.DefaultCookiePolicy(secure_protocols=("http", "https")))
        browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
        browser.open(f"{workspace.address}/?token={owner.token}", timeout=30).close()
        with browser.open(f"{self.monitor}/slack/install", timeout=30) as page:
            assert "Thank you" in page.read().decode()
        return Person(workspace.address, owner.token)


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
        assert "may not install findimg" in refused.value.read().decode()
        answer = person.command(person.channel(), "/findimg animal")
        assert "only people of the workspace that installed it" in answer["text"]
        teams.stop()
        teams.environment["FINDIMG_ALLOW_TEAMS"] = zeta.id
        teams.start()
        assert images(person.command(person.channel(), "/findimg animal"))
    finally:
        teams.environment["FINDIMG_ALLOW_TEAMS"] = "*"
        teams.restart()


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
