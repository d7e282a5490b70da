from collections.abc import Callable

import pytest
from slack_sdk import WebClient

from findimg_bot.local_slack.workspace import Workspace
from tests.bot.local_slack.conftest import Bot, modal, refused, section
from tests.bot.person import BrowserUser
from tests.bot.team import WorkspaceThread

Trigger = Callable[[], str]


@pytest.fixture
def trigger(connect: Callable[..., Bot], person: BrowserUser) -> Trigger:
    """Return a function that returns a new trigger_id."""
    bot = connect()

    def triggered() -> str:
        seen = len(bot.seen)
        person.ask("send", channel="general", text="/tag")
        return str(bot.wait(seen + 1).payload["trigger_id"])

    return triggered


def test_trigger_opens_one_modal_before_it_expires(
    workspace: Workspace, client: WebClient, trigger: Trigger, slack: WorkspaceThread
) -> None:
    used = trigger()
    client.views_open(trigger_id=used, view=modal())
    assert refused(client.views_open, trigger_id=used, view=modal())["error"] == "exchanged_trigger_id"
    assert refused(client.views_open, trigger_id="1.2.made-up", view=modal())["error"] == "invalid_trigger_id"
    stranger = slack.call(workspace.add_team, "strangers")
    foreign = WebClient(token=stranger.bot_token, base_url=workspace.api_url)
    assert refused(foreign.views_open, trigger_id=trigger(), view=modal())["error"] == "invalid_trigger_id"
    workspace.timing.trigger = 0.0
    assert refused(client.views_open, trigger_id=trigger(), view=modal())["error"] == "expired_trigger_id"


def test_invalid_view_is_refused_with_a_json_pointer(client: WebClient, trigger: Trigger) -> None:
    bad = modal(title={"type": "plain_text", "text": "x" * 25})
    answer = refused(client.views_open, trigger_id=trigger(), view=bad)
    assert answer["error"] == "invalid_arguments"
    assert answer["response_metadata"]["messages"] == [
        "[ERROR] must be less than 25 characters [json-pointer:/view/title/text]"
    ]
    large = modal(*[section("x" * 3000)] * 100)
    assert refused(client.views_open, trigger_id=trigger(), view=large)["error"] == "view_too_large"
    home = {"type": "home", "blocks": []}
    assert refused(client.views_open, trigger_id=trigger(), view=home)["error"] == "invalid_arguments"
    assert refused(client.api_call, "views.open", json={"trigger_id": "x", "view": "{"})["error"] == "invalid_arguments"


def test_at_most_three_modals_are_stacked(client: WebClient, trigger: Trigger, person: BrowserUser) -> None:
    assert refused(client.views_push, trigger_id=trigger(), view=modal())["error"] == "not_found"
    root = client.views_open(trigger_id=trigger(), view=modal())["view"]
    for _ in range(2):
        top = client.views_push(trigger_id=trigger(), view=modal())["view"]
    assert top["root_view_id"] == root["id"]
    assert refused(client.views_push, trigger_id=trigger(), view=modal())["error"] == "push_limit_reached"
    person.ask("close", view_id=top["id"])
    assert person.state()["modal"]["id"] == top["previous_view_id"]


def test_view_is_updated_by_id_external_id_and_hash(client: WebClient, trigger: Trigger, person: BrowserUser) -> None:
    view = client.views_open(trigger_id=trigger(), view=modal(external_id="mine"))["view"]
    updated = client.views_update(view_id=view["id"], hash=view["hash"], view=modal(section("1"), external_id="mine"))
    assert updated["view"]["id"] == view["id"]
    stale = refused(client.views_update, view_id=view["id"], hash=view["hash"], view=modal())
    assert stale["error"] == "hash_conflict"
    client.views_update(external_id="mine", view=modal(section("2"), external_id="mine"))
    assert person.state()["modal"]["blocks"][0]["text"]["text"] == "2"
    taken = refused(client.views_open, trigger_id=trigger(), view=modal(external_id="mine"))
    assert taken["error"] == "duplicate_external_id"
    assert refused(client.views_update, view_id="V0NOTHING", view=modal())["error"] == "not_found"


def test_each_person_has_their_own_home_tab(slack: WorkspaceThread, client: WebClient, person: BrowserUser) -> None:
    workspace = slack.workspace
    other = slack.call(workspace.team.add_user, "ann")
    view = client.views_publish(user_id=workspace.me.id, view={"type": "home", "blocks": [section("1")]})["view"]
    again = client.views_publish(
        user_id=workspace.me.id, hash=view["hash"], view={"type": "home", "blocks": [section("2")]}
    )["view"]
    assert again["id"] == view["id"]
    assert person.state()["home"]["blocks"][0]["text"]["text"] == "2"
    assert BrowserUser(workspace.address, other.token).state()["home"] is None
    home = {"type": "home", "blocks": []}
    stale = refused(client.views_publish, user_id=workspace.me.id, hash=view["hash"], view=home)
    assert stale["error"] == "hash_conflict"
    nobody = refused(client.views_publish, user_id="U0NOBODY", view=home)
    assert nobody["response_metadata"]["messages"] == ["invalid `user_id`"]
    client.views_update(view_id=view["id"], view={"type": "home", "blocks": [section("3")]})
    assert person.state()["home"]["blocks"][0]["text"]["text"] == "3"
