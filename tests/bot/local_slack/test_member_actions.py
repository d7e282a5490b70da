from collections.abc import Callable

import pytest
from slack_sdk import WebClient
from slack_sdk.socket_mode.request import SocketModeRequest

from findimg_bot.local_slack.workspace import Workspace
from tests.bot.local_slack.conftest import Bot, button, modal, png, section
from tests.bot.person import BrowserUser, Json
from tests.bot.team import WorkspaceThread

Connect = Callable[..., Bot]
FILE_INPUT = {
    "type": "input",
    "block_id": "image",
    "label": {"type": "plain_text", "text": "Image"},
    "element": {"type": "file_input", "action_id": "file", "filetypes": ["png"], "max_files": 1},
}
SELECT = {
    "type": "static_select",
    "action_id": "order",
    "options": [{"text": {"type": "plain_text", "text": each}, "value": each} for each in ("new", "old")],
}


@pytest.fixture
def channel(workspace: Workspace) -> str:
    return str(workspace.team.channel("general").id)


def opened(bot: Bot, person: BrowserUser, client: WebClient, view: Json) -> Json:
    """Let the bot open a modal after a command and return it."""
    seen = len(bot.seen)
    person.ask("send", channel="general", text="/tag")
    return dict(client.views_open(trigger_id=bot.wait(seen + 1).payload["trigger_id"], view=view)["view"])


def test_command_payload_has_person_and_channel(
    workspace: Workspace, connect: Connect, person: BrowserUser, channel: str
) -> None:
    bot = connect()
    person.ask("send", channel=channel, text='/findimg cat & <dog> like:https://example.com @you "fire engine"')
    payload = bot.wait().payload
    assert (payload["command"], payload["user_id"], payload["team_id"]) == (
        "/findimg",
        workspace.me.id,
        workspace.team.id,
    )
    assert (payload["channel_id"], payload["channel_name"]) == (channel, "general")
    # Entities are escaped. Users and links are not, because the manifest sets should_escape to false.
    assert payload["text"] == 'cat &amp; &lt;dog&gt; like:https://example.com @you "fire engine"'
    assert payload["response_url"].startswith(f"{workspace.address}/hooks/commands/")
    person.ask("send", channel=person.direct(), text="/words")
    payload = bot.wait(2).payload
    assert (payload["channel_name"], payload["text"]) == ("directmessage", "")


@pytest.mark.parametrize(
    ("acknowledgement", "expected"),
    [
        ({}, []),
        ({"text": "wait"}, [("wait", True)]),
        ({"text": "all of you", "response_type": "in_channel"}, [("all of you", False)]),
        ({"blocks": [section("found")], "text": "found"}, [("found", True)]),
    ],
)
def test_acknowledgement_can_contain_a_message(
    connect: Connect, person: BrowserUser, channel: str, acknowledgement: Json, expected: list[tuple[str, bool]]
) -> None:
    connect(lambda request: acknowledgement)
    person.ask("send", channel=channel, text="/findimg cat")
    seen = [(message["text"], message.get("ephemeral", False)) for message in person.messages(channel)]
    assert seen == expected


def test_invalid_acknowledgement_is_reported_to_the_person(connect: Connect, person: BrowserUser, channel: str) -> None:
    connect(lambda request: {"text": "x", "blocks": [section("")]})
    answer = person.try_to("send", channel=channel, text="/findimg cat")
    assert answer["error"] == '/findimg failed with the error "invalid_blocks"'


def test_invalid_message_is_refused_with_a_sentence(
    connect: Connect, person: BrowserUser, channel: str, workspace: Workspace
) -> None:
    bot = connect()
    ts = person.ask("send", channel=channel, text="hello")["ts"]

    def error(**arguments: object) -> str:
        return str(person.try_to("send", **{"channel": channel, "text": "x"} | arguments)["error"])

    assert error(text="/findimg cat", thread_ts=ts) == "/findimg is not supported in threads. Sorry!"
    assert error(text="/nothing") == "/nothing is not a valid command."
    assert error(text=" ") == "There is nothing to send."
    assert error(channel="C0NOWHERE") == "There is no channel 'C0NOWHERE' that you are in."
    assert error(thread_ts="1.2") == "The message that this answers is gone."
    assert error(files=["F0NOTHING"]) == "There is no file 'F0NOTHING' of yours."
    assert error(files="F0NOTHING") == "The files must be a list of ids."
    assert bot.seen == []


def test_click_payload_has_action_and_message(
    workspace: Workspace, connect: Connect, person: BrowserUser, client: WebClient, channel: str
) -> None:
    bot = connect()
    blocks = [{"type": "actions", "block_id": "b", "elements": [button("next", value="17", style="primary")]}]
    first = client.chat_postMessage(channel=channel, text="first")["ts"]
    posted = client.chat_postMessage(channel=channel, text="page 1", blocks=blocks, thread_ts=first)
    person.ask("action", channel=channel, ts=posted["ts"], block_id="b", action_id="next")
    payload = bot.wait().payload
    assert payload["type"] == "block_actions"
    assert (payload["user"]["id"], payload["team"]["id"]) == (workspace.me.id, workspace.team.id)
    assert payload["container"] == {
        "type": "message",
        "message_ts": posted["ts"],
        "channel_id": channel,
        "is_ephemeral": False,
        "thread_ts": first,
    }
    assert payload["channel"] == {"id": channel, "name": "general"}
    assert payload["message"]["text"] == "page 1"
    [action] = payload["actions"]
    assert {name: action[name] for name in ("action_id", "block_id", "value", "type", "style")} == {
        "action_id": "next",
        "block_id": "b",
        "value": "17",
        "type": "button",
        "style": "primary",
    }


def test_click_on_an_ephemeral_message_has_no_message(
    workspace: Workspace, connect: Connect, person: BrowserUser, client: WebClient, channel: str
) -> None:
    bot = connect()
    blocks = [section("x", block_id="b", accessory=button("next"))]
    ts = client.chat_postEphemeral(channel=channel, user=workspace.me.id, text="x", blocks=blocks)["message_ts"]
    person.ask("action", channel=channel, ts=ts, block_id="b", action_id="next")
    payload = bot.wait().payload
    assert payload["container"]["is_ephemeral"] is True
    assert "message" not in payload


def test_missing_element_cannot_be_clicked(
    slack: WorkspaceThread, connect: Connect, person: BrowserUser, client: WebClient, channel: str
) -> None:
    bot = connect()
    other = slack.call(slack.workspace.team.add_user, "ann")
    blocks = [section("x", block_id="b", accessory=button("next"))]
    ts = client.chat_postEphemeral(channel=channel, user=other.id, text="x", blocks=blocks)["message_ts"]
    own = client.chat_postMessage(channel=channel, text="x", blocks=blocks)["ts"]

    def error(ts: str, block_id: str, action_id: str) -> str:
        where = {"channel": channel, "ts": ts, "block_id": block_id, "action_id": action_id}
        return str(person.try_to("action", **where)["error"])

    assert error(ts, "b", "next") == "That message is gone."
    assert error(own, "c", "next") == "This button no longer exists."
    assert error(own, "b", "last") == "This button no longer exists."
    assert person.try_to("action", view_id="V1", block_id="b", action_id="a")["error"] == "That window is closed."
    assert bot.seen == []


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ((SELECT, "old"), {"selected_option": SELECT["options"][1]}),
        ((SELECT | {"type": "checkboxes"}, ["new"]), {"selected_options": [SELECT["options"][0]]}),
        (({"type": "users_select", "action_id": "order"}, "U1"), {"selected_user": "U1"}),
        (({"type": "channels_select", "action_id": "order"}, "C1"), {"selected_channel": "C1"}),
        (({"type": "datepicker", "action_id": "order"}, "2024-06-01"), {"selected_date": "2024-06-01"}),
        (({"type": "timepicker", "action_id": "order"}, "10:30"), {"selected_time": "10:30"}),
    ],
)
def test_selected_value_has_the_elements_own_key(
    connect: Connect, person: BrowserUser, client: WebClient, channel: str, choice: tuple[Json, object], expected: Json
) -> None:
    element, value = choice
    bot = connect()
    blocks = [{"type": "actions", "block_id": "b", "elements": [element]}]
    ts = client.chat_postMessage(channel=channel, text="x", blocks=blocks)["ts"]
    person.ask("action", channel=channel, ts=ts, block_id="b", action_id="order", value=value)
    [action] = bot.wait().payload["actions"]
    assert {name: action[name] for name in expected} == expected


def test_unknown_option_is_refused(connect: Connect, person: BrowserUser, client: WebClient, channel: str) -> None:
    connect()
    blocks = [{"type": "actions", "block_id": "b", "elements": [SELECT]}]
    ts = client.chat_postMessage(channel=channel, text="x", blocks=blocks)["ts"]
    answer = person.try_to("action", channel=channel, ts=ts, block_id="b", action_id="order", value="best")
    assert answer["error"] == "There is no choice 'best'."


def test_unacknowledged_click_is_reported_to_the_person(
    workspace: Workspace, connect: Connect, person: BrowserUser, client: WebClient, channel: str
) -> None:
    workspace.timing.acknowledge = 0.1
    connect(lambda request: None)
    blocks = [section("x", block_id="b", accessory=button("next"))]
    ts = client.chat_postMessage(channel=channel, text="x", blocks=blocks)["ts"]
    answer = person.try_to("action", channel=channel, ts=ts, block_id="b", action_id="next")
    assert answer["error"] == 'findimg failed with the error "operation_timeout"'


def test_shortcut_payload_has_the_message_and_its_files(
    workspace: Workspace, connect: Connect, person: BrowserUser, client: WebClient, channel: str
) -> None:
    bot = connect()
    file = person.upload("cat.png", png())
    ts = person.ask("send", channel=channel, text="look", files=[file["id"]])["ts"]
    person.ask("shortcut", callback_id="tag_image", channel=channel, ts=ts)
    payload = bot.wait().payload
    assert (payload["type"], payload["callback_id"]) == ("message_action", "tag_image")
    assert (payload["message_ts"], payload["message"]["text"]) == (ts, "look")
    assert payload["message"]["files"] == [client.files_info(file=file["id"])["file"]]
    assert client.views_open(trigger_id=payload["trigger_id"], view=modal())["ok"]
    answer = person.try_to("shortcut", callback_id="unknown", channel=channel, ts=ts)
    assert answer["error"] == "There is no shortcut 'unknown' on that message."


def test_submitted_files_are_complete_and_visible_to_the_bot(
    connect: Connect, person: BrowserUser, client: WebClient
) -> None:
    bot = connect()
    view = opened(bot, person, client, modal(FILE_INPUT, callback_id="image", private_metadata="kept"))
    assert person.state()["modal"]["id"] == view["id"]
    file = person.upload("cat.png", png())
    person.ask("submit", view_id=view["id"], values={"image": {"file": {"files": [file["id"]]}}})
    payload = bot.wait(2).payload
    assert payload["type"] == "view_submission"
    assert (payload["view"]["callback_id"], payload["view"]["private_metadata"]) == ("image", "kept")
    given = payload["view"]["state"]["values"]["image"]["file"]
    assert given["type"] == "file_input"
    assert given["files"] == [client.files_info(file=file["id"])["file"]]
    assert person.state()["modal"] is None


def test_modal_inputs_are_checked_before_submission(connect: Connect, person: BrowserUser, client: WebClient) -> None:
    bot = connect()
    text = {"type": "input", "block_id": "text", "label": FILE_INPUT["label"], "optional": True}
    text["element"] = {"type": "plain_text_input", "action_id": "text"}
    view = opened(bot, person, client, modal(FILE_INPUT, text))
    files = [person.upload("a.png", png())["id"], person.upload("b.png", png())["id"]]
    document = person.upload("a.txt", b"text")["id"]

    def errors(*names: str) -> Json:
        values = {"image": {"file": {"files": list(names)}}}
        return dict(person.try_to("submit", view_id=view["id"], values=values))["errors"]

    assert errors() == {"image": "Please complete this required field."}
    assert errors(*files) == {"image": "Choose at most 1 file."}
    assert errors(document) == {"image": "Choose a file of these types: png."}
    assert person.try_to("submit", view_id=view["id"], values={"image": []})["ok"] is False
    assert len(bot.seen) == 1
    person.ask("submit", view_id=view["id"], values={"image": {"file": {"files": files[:1]}}})


def test_bot_answers_a_submission_with_errors_update_push_and_clear(
    connect: Connect, person: BrowserUser, client: WebClient
) -> None:
    answers: list[Json] = [
        {},  # the command
        {"response_action": "errors", "errors": {"image": "That is no cat."}},
        {"response_action": "update", "view": modal(section("thinking"), callback_id="second")},
        {"response_action": "push", "view": modal(section("sure?"), callback_id="third")},
        {"response_action": "clear"},
    ]
    bot = connect(lambda request: answers.pop(0))
    view = opened(bot, person, client, modal(section("x", block_id="image"), callback_id="first"))
    answer = person.try_to("submit", view_id=view["id"], values={})
    assert answer == {"ok": False, "errors": {"image": "That is no cat."}}
    person.ask("submit", view_id=view["id"], values={})
    seen = person.state()["modal"]
    assert (seen["callback_id"], seen["id"]) == ("second", view["id"])
    assert seen["hash"] != view["hash"]
    person.ask("submit", view_id=view["id"], values={})
    third = person.state()["modal"]
    assert (third["callback_id"], third["previous_view_id"]) == ("third", view["id"])
    person.ask("submit", view_id=third["id"], values={})
    assert person.state()["modal"] is None


@pytest.mark.parametrize(
    "acknowledgement",
    [
        None,
        {"response_action": "update", "view": {"type": "modal"}},
        {"response_action": "errors"},
        {"response_action": "dance"},
    ],
)
def test_failed_submission_keeps_the_modal_open(
    workspace: Workspace, connect: Connect, person: BrowserUser, client: WebClient, acknowledgement: Json | None
) -> None:
    workspace.timing.acknowledge = 0.3

    def answer(request: SocketModeRequest) -> Json | None:
        return acknowledgement if request.type == "interactive" else {}

    view = opened(connect(answer), person, client, modal())
    said = person.try_to("submit", view_id=view["id"], values={})
    assert said["error"] == "We had some trouble connecting. Try again?"
    assert person.state()["modal"]["id"] == view["id"]


def test_view_closed_is_sent_only_with_notify_on_close(
    connect: Connect, person: BrowserUser, client: WebClient
) -> None:
    bot = connect()
    quiet = opened(bot, person, client, modal())
    person.ask("close", view_id=quiet["id"])
    loud = opened(bot, person, client, modal(notify_on_close=True, clear_on_close=True))
    person.ask("close", view_id=loud["id"])
    payload = bot.wait(3).payload
    assert (payload["type"], payload["view"]["id"], payload["is_cleared"]) == ("view_closed", loud["id"], True)
    assert person.state()["modal"] is None
    assert person.try_to("close", view_id=loud["id"])["error"] == "That window is closed."


def test_home_tab_has_buttons_but_no_submission(
    workspace: Workspace, connect: Connect, person: BrowserUser, client: WebClient
) -> None:
    bot = connect()
    blocks = [section("x", block_id="b", accessory=button("start"))]
    view = client.views_publish(user_id=workspace.me.id, view={"type": "home", "blocks": blocks})["view"]
    person.ask("action", view_id=view["id"], block_id="b", action_id="start")
    payload = bot.wait().payload
    assert payload["container"] == {"type": "view", "view_id": view["id"]}
    assert payload["view"]["type"] == "home"
    assert "response_url" not in payload
    assert person.try_to("submit", view_id=view["id"], values={})["error"] == "Only a modal can be submitted."
