import http.cookiejar
import urllib.error
import urllib.request
from email.message import Message
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from slack_sdk import WebClient

from findimg_bot.local_slack.model.installation import Organisation
from findimg_bot.local_slack.model.state import User
from findimg_bot.local_slack.workspace import Workspace
from tests.bot.local_slack.conftest import refused
from tests.bot.person import until
from tests.bot.team import WorkspaceThread

BACK = "http://127.0.0.1:9/slack/oauth_redirect"


class Browser(urllib.request.HTTPRedirectHandler):
    """A signed-in browser that does not follow redirects."""

    def __init__(self, workspace: Workspace, user: User):
        self._address = workspace.address
        cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        urllib.request.build_opener(cookies).open(f"{workspace.address}/?token={user.token}", timeout=10).close()
        self._opener = urllib.request.build_opener(cookies, self)

    def redirect_request(self, *arguments: object) -> None:
        return None

    def install(self, **query: str) -> tuple[int, Message, str]:
        """Return status, headers and text of the page that asks for permission to install the app."""
        with pytest.raises(urllib.error.HTTPError) as caught:
            self._opener.open(f"{self._address}/oauth/v2/authorize?{urlencode(query)}", timeout=10)
        return caught.value.code, caught.value.headers, caught.value.read().decode()


def asked(workspace: Workspace) -> dict[str, str]:
    scopes = ",".join(workspace.team.scopes)
    return {"client_id": workspace.client_id, "scope": scopes, "state": "s&t", "redirect_uri": BACK}


def test_installation_code_works_once(slack: WorkspaceThread) -> None:
    workspace = slack.workspace
    team = slack.call(workspace.add_team, "newcomers", installed=False)
    [user] = [user for user in team.users.values() if not user.is_bot]
    client = WebClient(token=team.bot_token, base_url=workspace.api_url)
    assert refused(client.auth_test)["error"] == "account_inactive"

    status, headers, _ = Browser(workspace, user).install(**asked(workspace))
    back = urlsplit(headers["Location"])
    query = {name: values[0] for name, values in parse_qs(back.query).items()}
    assert (status, f"{back.scheme}://{back.netloc}{back.path}", query["state"]) == (302, BACK, "s&t")

    def access(**more: str) -> object:
        secrets = {"client_id": workspace.client_id, "client_secret": workspace.client_secret, "redirect_uri": BACK}
        return client.oauth_v2_access(**{**secrets, "code": query["code"], **more})

    assert refused(access, client_id="1.2")["error"] == "invalid_client_id"
    assert refused(access, client_secret="wrong")["error"] == "bad_client_secret"
    assert refused(access, code="wrong")["error"] == "invalid_code"
    answer = access().data  # type: ignore[attr-defined]
    assert (answer["team"], answer["bot_user_id"]) == ({"id": team.id, "name": "newcomers"}, team.bot.id)
    assert answer["authed_user"] == {"id": user.id}
    assert set(answer["scope"].split(",")) == team.scopes
    assert WebClient(token=answer["access_token"], base_url=workspace.api_url).auth_test()["team_id"] == team.id
    assert refused(access)["error"] == "invalid_code"


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"client_id": "1.2"}, "invalid_client_id"),
        ({"redirect_uri": "https://evil.example/"}, "bad_redirect_uri"),
        ({"redirect_uri": ""}, "bad_redirect_uri"),
        ({"scope": "admin"}, "invalid_scope"),
        ({"scope": ""}, "invalid_scope"),
    ],
)
def test_invalid_installation_request_is_refused(workspace: Workspace, change: dict[str, str], error: str) -> None:
    status, _, text = Browser(workspace, workspace.me).install(**asked(workspace) | change)
    assert (status, text.partition(":")[0]) == (400, error)


def test_installation_needs_a_signed_in_person(workspace: Workspace) -> None:
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(f"{workspace.address}/oauth/v2/authorize?{urlencode(asked(workspace))}", timeout=10)


def test_revoked_token_stays_invalid_after_reinstallation(workspace: Workspace, client: WebClient) -> None:
    assert client.auth_revoke(test=True)["revoked"] is False
    assert client.auth_revoke()["revoked"] is True
    assert refused(client.auth_test)["error"] == "account_inactive"
    _, headers, _ = Browser(workspace, workspace.me).install(**asked(workspace))
    code = parse_qs(urlsplit(headers["Location"]).query)["code"][0]
    new = client.oauth_v2_access(client_id=workspace.client_id, client_secret=workspace.client_secret, code=code)
    assert new["access_token"] != client.token
    assert refused(client.auth_test)["error"] == "invalid_auth"


def test_rotated_token_expires_and_its_refresh_token_works_once(slack: WorkspaceThread) -> None:
    workspace = slack.workspace
    workspace.timing.token = 0.5
    team = slack.call(workspace.add_team, "rotating", installed=False)
    slack.call(workspace.install, team)
    client = WebClient(token=team.bot_token, base_url=workspace.api_url)
    assert client.auth_test()["team_id"] == team.id
    refresh = {
        "client_id": workspace.client_id,
        "client_secret": workspace.client_secret,
        "grant_type": "refresh_token",
        "refresh_token": team.installation.refresh_token,
    }
    renewed = WebClient(base_url=workspace.api_url).oauth_v2_access(**refresh)
    assert (renewed["token_type"], renewed["team"]["id"]) == ("bot", team.id)
    assert client.auth_test()["ok"]  # the earlier token stays valid until it expires
    assert refused(WebClient(base_url=workspace.api_url).oauth_v2_access, **refresh)["error"] == "invalid_refresh_token"
    until(lambda: slack.call(team.installation.is_expired, team.bot_token))
    assert refused(client.auth_test)["error"] == "token_expired"


def test_organisation_has_one_token_for_its_teams(slack: WorkspaceThread) -> None:
    workspace = slack.workspace
    acme = Organisation("E0ACME", "Acme")
    one, two = (slack.call(workspace.add_team, name, organisation=acme, org_wide=True) for name in ("one", "two"))
    client = WebClient(token=one.bot_token, base_url=workspace.api_url)
    about = client.auth_test()
    assert (about["is_enterprise_install"], about["enterprise_id"]) == (True, "E0ACME")
    for team in (one, two):
        channel = team.channel("general")
        assert channel
        assert client.chat_postMessage(channel=channel.id, text="hello")["channel"] == channel.id
        assert client.files_list(team_id=team.id)["files"] == []
    assert refused(client.files_list)["error"] == "missing_argument"
