import json
import urllib.request

import pytest
from slack_sdk import WebClient
from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler

from findimg_bot.local_slack.workspace import Workspace
from tests.bot.local_slack.conftest import refused, section


def raw(workspace: Workspace, method: str, body: bytes, kind: str) -> dict[str, object]:
    """Call a method without slack-sdk, with a given body and content type."""
    headers = {"Content-Type": kind, "Authorization": f"Bearer {workspace.bot_token}"}
    request = urllib.request.Request(workspace.api_url + method, body, headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return dict(json.load(answer))


def test_auth_test_returns_the_tokens_team_and_user(workspace: Workspace, client: WebClient) -> None:
    answer = client.auth_test()
    assert (answer["team_id"], answer["user_id"]) == (workspace.team.id, workspace.team.bot.id)
    assert answer["bot_id"] == workspace.team.bot_id
    assert answer["url"] == "https://findimg.slack.com/"
    assert set(answer.headers["X-OAuth-Scopes"].split(",")) == workspace.team.scopes


def test_each_kind_of_invalid_token_has_its_own_error(workspace: Workspace) -> None:
    def error(token: str | None) -> str:
        return str(refused(WebClient(token=token, base_url=workspace.api_url).auth_test)["error"])

    assert error(None) == "not_authed"
    assert error("xoxb-made-up") == "invalid_auth"
    assert error(workspace.app_token) == "not_allowed_token_type"
    workspace.faults.revoked = True
    assert error(workspace.bot_token) == "token_revoked"
    workspace.faults.revoked = False
    workspace.team.installed = False
    assert error(workspace.bot_token) == "account_inactive"


def test_only_the_app_level_token_opens_connections(workspace: Workspace, client: WebClient) -> None:
    assert client.apps_connections_open(app_token=workspace.app_token)["url"].startswith("ws://127.0.0.1:")
    answer = refused(client.apps_connections_open, app_token=workspace.bot_token)
    assert answer["error"] == "not_allowed_token_type"
    assert refused(client.apps_connections_open, app_token="xapp-made-up")["error"] == "invalid_auth"


@pytest.mark.parametrize(
    ("scope", "method", "arguments"),
    [
        ("chat:write", "chat.postMessage", {"channel": "general", "text": "x"}),
        ("files:read", "files.info", {"file": "F1"}),
        ("files:write", "files.getUploadURLExternal", {"filename": "a.png", "length": 3}),
        ("channels:history", "conversations.history", {"channel": "general"}),
        ("users:read", "users.info", {"user": "U1"}),
        ("channels:read", "conversations.list", {}),
        ("im:write", "conversations.open", {"users": "U1"}),
    ],
)
def test_missing_scope_is_named(
    workspace: Workspace, client: WebClient, scope: str, method: str, arguments: dict[str, object]
) -> None:
    workspace.team.scopes -= {scope}
    answer = refused(client.api_call, method, params=arguments)
    assert (answer["error"], answer["needed"]) == ("missing_scope", scope)
    assert set(answer["provided"].split(",")) == workspace.team.scopes


def test_unknown_method_is_refused(client: WebClient) -> None:
    assert refused(client.api_call, "chat.shout")["error"] == "unknown_method"


def test_form_json_and_blocks_as_a_string_are_accepted(workspace: Workspace) -> None:
    blocks = json.dumps([section("hello")])
    form = f"channel=general&text=x&blocks={blocks}".encode()
    kinds = "application/x-www-form-urlencoded", "application/json"
    assert raw(workspace, "chat.postMessage", form, kinds[0])["ok"]
    inner = {"channel": "general", "text": "x", "blocks": blocks}
    assert raw(workspace, "chat.postMessage", json.dumps(inner).encode(), kinds[1])["ok"]
    assert (
        raw(workspace, "chat.postMessage", b"channel=general&blocks=[{", kinds[0])["error"] == "invalid_blocks_format"
    )
    assert raw(workspace, "chat.postMessage", b"[1]", kinds[1])["error"] == "invalid_form_data"


def test_api_test_needs_no_token(workspace: Workspace) -> None:
    client = WebClient(base_url=workspace.api_url)
    assert client.api_test(foo="bar")["args"] == {"foo": "bar"}
    assert refused(client.api_test, error="my_error")["error"] == "my_error"


def test_client_retries_after_a_rate_limit(workspace: Workspace, client: WebClient) -> None:
    workspace.faults.rate_limited["auth.test"] = 2
    workspace.faults.retry_after = 0
    answer = refused(client.auth_test)
    assert answer["error"] == "ratelimited"
    client.retry_handlers.append(RateLimitErrorRetryHandler(max_retry_count=1))
    assert client.auth_test()["ok"]
    assert [method for method, _ in workspace.faults.calls] == ["auth.test"] * 3


def test_injected_fault_makes_a_method_fail(workspace: Workspace, client: WebClient) -> None:
    workspace.faults.failing["auth.test"] = "fatal_error"
    assert refused(client.auth_test)["error"] == "fatal_error"


def test_recorded_calls_contain_no_token(workspace: Workspace, client: WebClient) -> None:
    client.chat_postMessage(channel="general", text="hello")
    [(method, arguments)] = workspace.faults.calls
    assert method == "chat.postMessage"
    assert arguments["text"] == "hello"
    assert workspace.bot_token not in str(arguments)
