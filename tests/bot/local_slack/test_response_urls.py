from collections.abc import Callable

import pytest
from slack_sdk import WebClient
from slack_sdk.webhook import WebhookClient, WebhookResponse

from findimg_bot.local_slack.workspace import Workspace
from tests.bot.local_slack.conftest import Bot, button, png, section
from tests.bot.person import BrowserUser, Json, until
from tests.bot.team import WorkspaceThread

BLOCKS = [{"type": "actions", "elements": [button("next", value="1")]}]


@pytest.fixture
def command(connect: Callable[..., Bot], person: BrowserUser) -> WebhookClient:
    """Return a client for the response_url of a command in `general`."""
    bot = connect()
    person.ask("send", channel="general", text="/findimg cat")
    return WebhookClient(str(bot.wait().payload["response_url"]))


@pytest.fixture
def click(
    connect: Callable[..., Bot], person: BrowserUser, client: WebClient, workspace: Workspace
) -> Callable[..., tuple[WebhookClient, Json]]:
    """Return a function that clicks a button. It returns a client for the response_url, and the message."""
    bot = connect()

    def clicked(ephemeral: bool) -> tuple[WebhookClient, Json]:
        channel = workspace.team.channel("general").id
        if ephemeral:
            client.chat_postEphemeral(channel=channel, user=workspace.me.id, text="page 1", blocks=BLOCKS)
        else:
            client.chat_postMessage(channel=channel, text="page 1", blocks=BLOCKS)
        message = person.messages(channel)[-1]
        person.click(channel, message, "next")
        return WebhookClient(bot.wait().payload["response_url"]), message

    return clicked


def error(answer: WebhookResponse) -> tuple[int, str]:
    return answer.status_code, answer.body


def general(person: BrowserUser) -> list[Json]:
    state = person.state()
    [channel] = [channel["id"] for channel in state["channels"] if channel["name"] == "general"]
    return list(state["messages"][channel])


def test_response_url_accepts_five_answers(command: WebhookClient, person: BrowserUser) -> None:
    for number in range(5):
        assert command.send(text=f"answer {number}").body == "ok"
    assert error(command.send(text="one more")) == (404, '{"ok": false, "error": "used_url"}')
    assert [message["text"] for message in general(person)] == [f"answer {number}" for number in range(5)]


def test_answer_is_ephemeral_by_default(command: WebhookClient, person: BrowserUser) -> None:
    command.send(text="for you")
    command.send(text="for you", response_type="ephemeral")
    command.send(text="for all", response_type="in_channel")
    assert [message.get("ephemeral", False) for message in general(person)] == [True, True, False]


def test_response_url_expires(connect: Callable[..., Bot], person: BrowserUser, workspace: Workspace) -> None:
    bot = connect()
    workspace.timing.response_url = 0.0
    person.ask("send", channel="general", text="/findimg cat")
    answer = WebhookClient(bot.wait().payload["response_url"]).send(text="late")
    assert error(answer) == (404, '{"ok": false, "error": "expired_url"}')


def test_unknown_response_url_and_invalid_answers_are_refused(command: WebhookClient, workspace: Workspace) -> None:
    unknown = WebhookClient(f"{workspace.address}/hooks/commands/{workspace.team.id}/made-up")
    assert error(unknown.send(text="x")) == (404, '{"ok": false, "error": "invalid_token"}')
    assert error(command.send(text="")) == (404, '{"ok": false, "error": "no_text"}')
    too_long = command.send(text="x", blocks=[section("x" * 3001)])
    assert error(too_long) == (404, '{"ok": false, "error": "invalid_blocks"}')


def test_replace_original_after_a_command_adds_a_message(command: WebhookClient, person: BrowserUser) -> None:
    command.send(text="Searching…")
    command.send(text="Found", replace_original=True)
    assert [message["text"] for message in general(person)] == ["Searching…", "Found"]
    assert error(command.send(delete_original=True)) == (404, '{"ok": false, "error": "message_not_found"}')


@pytest.mark.parametrize("ephemeral", [False, True])
def test_answer_to_a_click_replaces_the_message(
    click: Callable[..., tuple[WebhookClient, Json]], person: BrowserUser, ephemeral: bool
) -> None:
    hook, message = click(ephemeral)
    hook.send(text="page 2", replace_original=True)
    [seen] = general(person)
    assert (seen["text"], seen["ts"], seen.get("ephemeral", False)) == ("page 2", message["ts"], ephemeral)
    hook.send(text="page 3")
    assert [message["text"] for message in general(person)] == ["page 3"]


def test_answer_to_a_click_can_add_a_message(
    click: Callable[..., tuple[WebhookClient, Json]], person: BrowserUser
) -> None:
    hook, _ = click(True)
    hook.send(text="shared", replace_original=False, response_type="in_channel")
    hook.send(text="shared as well", response_type="in_channel")
    assert [(message["text"], message.get("ephemeral", False)) for message in general(person)] == [
        ("page 1", True),
        ("shared", False),
        ("shared as well", False),
    ]


def test_replaced_ephemeral_message_stays_ephemeral(
    click: Callable[..., tuple[WebhookClient, Json]], slack: WorkspaceThread, person: BrowserUser
) -> None:
    hook, _ = click(True)
    hook.send(text="page 2", replace_original=True, response_type="in_channel")
    other = slack.call(slack.workspace.team.add_user, "ann")
    assert [message["text"] for message in general(person)] == ["page 2"]
    assert general(BrowserUser(slack.workspace.address, other.token)) == []


@pytest.mark.parametrize("ephemeral", [False, True])
def test_answer_to_a_click_deletes_the_message(
    click: Callable[..., tuple[WebhookClient, Json]], person: BrowserUser, ephemeral: bool
) -> None:
    hook, _ = click(ephemeral)
    assert hook.send(delete_original=True).body == "ok"
    assert general(person) == []
    hook.send(text="page 2", replace_original=True)
    assert [message["text"] for message in general(person)] == ["page 2"]


def test_injected_fault_makes_response_urls_refuse_files(
    command: WebhookClient, client: WebClient, workspace: Workspace
) -> None:
    file = client.files_upload_v2(file=png(), filename="a.png")["file"]["id"]
    blocks = [{"type": "image", "slack_file": {"id": file}, "alt_text": "a cat"}]
    assert command.send(text="x", blocks=blocks).body == "ok"
    workspace.faults.response_urls_refuse_files = True
    assert error(command.send(text="x", blocks=blocks)) == (404, '{"ok": false, "error": "invalid_blocks"}')
    assert client.chat_postMessage(channel="general", text="x", blocks=blocks)["ok"]


def test_answer_to_a_shortcut_is_posted_beside_the_message(
    connect: Callable[..., Bot], person: BrowserUser, workspace: Workspace
) -> None:
    bot = connect()
    channel = workspace.team.channel("general").id
    ts = person.ask("send", channel=channel, text="look")["ts"]
    person.ask("shortcut", callback_id="tag_image", channel=channel, ts=ts)
    WebhookClient(bot.wait().payload["response_url"]).send(text="a cat", replace_original=True)
    until(lambda: [message["text"] for message in general(person)] == ["look", "a cat"])
