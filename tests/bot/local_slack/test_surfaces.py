"""Test the local workspace's optional surfaces with slack-sdk's own clients."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from slack_sdk import WebClient

from findimg_bot.local_slack.workspace import Workspace
from findimg_bot.slack.manifest import read_manifest
from tests.bot.conftest import ALL_SURFACES, IMAGE_BASE_URL
from tests.bot.local_slack.conftest import Bot, refused, section
from tests.bot.person import BrowserUser, Json, until
from tests.bot.team import WorkspaceThread

Connect = Callable[..., Bot]
RESULT = {
    "external_ref": {"id": "1"},
    "title": "cat.png",
    "description": "a cat",
    "link": "https://images.example.com/cat.png",
    "date_updated": "2026-01-31",
}


@pytest.fixture
def slack() -> Iterator[WorkspaceThread]:
    """Return a new workspace whose app declares all surfaces."""
    threaded = WorkspaceThread(read_manifest(None, ALL_SURFACES, IMAGE_BASE_URL))
    yield threaded
    threaded.stop()


# The assistant panel


def test_opened_messages_name_the_channel_beside_them(connect: Connect, person: BrowserUser) -> None:
    bot, channel = connect(), person.channel()
    person.ask("home", tab="messages", beside=channel)
    event = bot.wait().payload["event"]
    assert (event["type"], event["tab"]) == ("app_home_opened", "messages")
    assert [each["value"] for each in event["context"]["entities"]] == [channel]
    other = person.channel()
    person.ask("look", channel=other)
    changed = bot.wait(2).payload["event"]
    assert changed["type"] == "app_context_changed"
    assert changed["context"]["entities"][0]["type"] == "slack#/types/channel_id"
    person.ask("send", channel=person.direct(), text="hello")
    assert bot.wait(3).payload["event"]["app_context"] == changed["context"]
    person.ask("look")
    person.ask("send", channel=person.direct(), text="hello")
    assert "app_context" not in bot.wait(4).payload["event"]


def test_prompts_are_shown_unless_a_thread_is_named(client: WebClient, person: BrowserUser) -> None:
    channel = person.direct()
    prompts = [{"title": "Find a cat", "message": "cat"}]
    client.assistant_threads_setSuggestedPrompts(channel_id=channel, prompts=prompts, title="Try")
    assert person.state()["panels"][channel] == {"title": "Try", "prompts": prompts, "statuses": {}}
    client.assistant_threads_setSuggestedPrompts(channel_id=channel, prompts=prompts * 2, thread_ts="1.0")
    assert person.state()["panels"][channel]["prompts"] == prompts


@pytest.mark.parametrize(
    "prompts", [[], [{"title": "a", "message": "b"}] * 5, [{"title": "a"}], [{"title": "", "message": "b"}]]
)
def test_invalid_prompts_are_refused(client: WebClient, person: BrowserUser, prompts: list[Json]) -> None:
    answer = refused(client.assistant_threads_setSuggestedPrompts, channel_id=person.direct(), prompts=prompts)
    assert answer["error"] == "invalid_arguments"


def test_status_ends_with_the_next_message_of_the_thread(client: WebClient, person: BrowserUser) -> None:
    channel = person.direct()
    ts = person.ask("send", channel=channel, text="cat")["ts"]
    client.assistant_threads_setStatus(channel_id=channel, thread_ts=ts, status="is searching…")
    assert person.state()["panels"][channel]["statuses"] == {ts: "is searching…"}
    client.chat_postMessage(channel=channel, text="beside the thread")
    assert person.state()["panels"][channel]["statuses"]
    client.chat_postMessage(channel=channel, thread_ts=ts, text="here")
    assert person.state()["panels"][channel]["statuses"] == {}
    missing = refused(client.assistant_threads_setStatus, channel_id=channel, thread_ts="1.0", status="…")
    assert missing["error"] == "invalid_thread_ts"
    public = refused(client.assistant_threads_setStatus, channel_id=person.channel(), thread_ts=ts, status="…")
    assert public["error"] == "channel_type_not_supported"


# Links


def test_links_to_the_apps_domain_are_reported(connect: Connect, person: BrowserUser) -> None:
    bot = connect()
    text = "https://images.example.com/a?b=1&c=2 https://cdn.images.example.com/d and https://example.com/e"
    ts = person.ask("send", channel=person.channel(), text=text)["ts"]
    event = until(lambda: [event for seen in bot.seen if (event := seen.payload["event"])["type"] == "link_shared"])[0]
    assert (event["message_ts"], event["source"]) == (ts, "conversations_history")
    assert [each["url"] for each in event["links"]] == [
        "https://images.example.com/a?b=1&c=2",
        "https://cdn.images.example.com/d",
    ]


def test_preview_replaces_the_one_before(client: WebClient, person: BrowserUser) -> None:
    channel, url = person.channel(), "https://images.example.com/a"
    ts = person.ask("send", channel=channel, text=url)["ts"]
    for text in ("first", "second"):
        client.chat_unfurl(channel=channel, ts=ts, unfurls={url: {"blocks": [section(text)]}})
    (attachment,) = person.messages(channel)[-1]["attachments"]
    assert attachment["blocks"][0]["text"]["text"] == "second"


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"unfurls": {}}, "missing_unfurls"),
        ({"unfurls": {"https://images.example.com/b": {"blocks": [section("a")]}}}, "cannot_unfurl_url"),
        ({"unfurls": {"https://images.example.com/a": {"blocks": [section("a" * 3001)]}}}, "cannot_parse_attachment"),
        ({"ts": "1.0"}, "cannot_find_message"),
        ({"unfurl_id": "U1", "source": "elsewhere"}, "invalid_source"),
    ],
)
def test_invalid_preview_is_refused(client: WebClient, person: BrowserUser, changed: Json, error: str) -> None:
    channel, url = person.channel(), "https://images.example.com/a"
    ts = person.ask("send", channel=channel, text=url)["ts"]
    valid: Json = {"channel": channel, "ts": ts, "unfurls": {url: {"blocks": [section("a")]}}}
    assert refused(client.chat_unfurl, **(valid | changed))["error"] == error


# Functions


def start(person: BrowserUser, verb: str, **arguments: Any) -> Future[Json]:
    """Start an action of a person that waits for the bot."""
    return ThreadPoolExecutor(1).submit(person.try_to, verb, **arguments)


def test_step_gets_its_inputs_and_returns_its_outputs(
    connect: Connect, workspace: Workspace, person: BrowserUser
) -> None:
    bot = connect()
    running = start(person, "step", callback_id="find_pictures", inputs={"words": "cat"})
    event = bot.wait().payload["event"]
    assert event["function"]["callback_id"] == "find_pictures"
    assert event["inputs"]["words"] == "cat"
    assert event["inputs"]["user_context"]["id"] == workspace.me.id
    client = WebClient(token=event["bot_access_token"], base_url=workspace.api_url)
    execution = event["function_execution_id"]
    for outputs in ({"links": "a"}, {"links": "a", "first_link": "a", "found": "1"}):
        wrong = refused(client.functions_completeSuccess, function_execution_id=execution, outputs=outputs)
        assert wrong["error"] == "parameter_validation_failed"
    outputs = {"links": "a", "first_link": "a", "found": 1}
    client.functions_completeSuccess(function_execution_id=execution, outputs=outputs)
    assert running.result(30) == {"ok": True, "outputs": outputs}
    # The token of a run ends with it.
    again = refused(client.functions_completeSuccess, function_execution_id=execution, outputs=outputs)
    assert again["error"] == "invalid_auth"


def test_failed_step_shows_its_reason(connect: Connect, client: WebClient, person: BrowserUser) -> None:
    bot = connect()
    running = start(person, "step", callback_id="find_pictures", inputs={"words": "cat"})
    execution = bot.wait().payload["event"]["function_execution_id"]
    client.functions_completeError(function_execution_id=execution, error="No pictures.")
    assert running.result(30) == {"ok": False, "error": "No pictures."}
    late = refused(client.functions_completeError, function_execution_id=execution, error="No pictures.")
    assert late["error"] == "function_execution_not_in_running_state"


def test_search_must_be_completed_before_it_is_acknowledged(connect: Connect, person: BrowserUser) -> None:
    connect()
    answer = person.try_to("search", query="cat")
    assert answer["error"] == "The app acknowledged the search before it completed it."


@pytest.mark.parametrize(
    "results",
    [
        [RESULT] * 51,
        [{name: value for name, value in RESULT.items() if name != "link"}],
        [RESULT | {"date_updated": "31 January"}],
        [RESULT | {"link": "cat.png"}],
        [RESULT | {"external_ref": {}}],
        [RESULT | {"more": 1}],
        "none",
    ],
)
def test_invalid_search_results_are_refused(
    connect: Connect, workspace: Workspace, client: WebClient, person: BrowserUser, results: Any
) -> None:
    workspace.timing.search = 0.5
    bot = connect(lambda request: None)
    running = start(person, "search", query="cat")
    execution = bot.wait().payload["event"]["function_execution_id"]
    outputs = {"search_results": results}
    wrong = refused(client.functions_completeSuccess, function_execution_id=execution, outputs=outputs)
    assert wrong["error"] == "parameter_validation_failed"
    client.functions_completeSuccess(function_execution_id=execution, outputs={"search_results": [RESULT] * 50})
    assert running.result(30)["error"] == "The app failed with the error operation_timeout."


def test_app_without_search_gives_no_results() -> None:
    threaded = WorkspaceThread(read_manifest())
    try:
        person = BrowserUser(threaded.workspace.address, threaded.workspace.token)
        assert person.try_to("search", query="cat")["error"] == "The app gives no results to searches."
        assert "There is no step" in person.try_to("step", callback_id="find_pictures", inputs={})["error"]
    finally:
        threaded.stop()
