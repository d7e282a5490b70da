"""Test that the manifest has exactly what the code needs."""

import ast
import inspect
import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from findimg.errors import SettingsError
from findimg_bot.listeners import register_listeners
from findimg_bot.slack.blocks.guidance import HELP, help_message
from findimg_bot.slack.manifest import Surfaces, bot_scopes, read_manifest
from tests.bot.conftest import ALL_SURFACES as ALL
from tests.bot.conftest import IMAGE_BASE_URL as BASE
from tests.test_imports import modules

PROJECT = Path(__file__).parents[3]
OWN_SLACK = PROJECT / "bot" / "findimg_bot" / "local_slack"

# Source: the pages of these methods and events in Slack's reference. Any one of a method's scopes lets it be called:
# each of the *:history scopes is for one kind of conversation.
HISTORY = {"channels:history", "groups:history", "im:history", "mpim:history"}
CHANNELS = {"channels:read", "groups:read", "im:read", "mpim:read"}
METHODS: dict[str, set[str]] = {
    "assistant_threads_setStatus": {"chat:write"},
    "assistant_threads_setSuggestedPrompts": {"assistant:write"},
    "apps_connections_open": set(),  # connections:write, of the app's own token
    "auth_revoke": set(),
    "auth_test": set(),
    "chat_postEphemeral": {"chat:write"},
    "chat_postMessage": {"chat:write"},
    "chat_unfurl": {"links:write"},
    "chat_update": {"chat:write"},
    "conversations_list": CHANNELS,
    "conversations_replies": HISTORY,
    "functions_completeError": set(),
    "files_completeUploadExternal": {"files:write"},
    "files_delete": {"files:write"},
    "files_getUploadURLExternal": {"files:write"},
    "files_info": {"files:read"},
    "files_list": {"files:read"},
    "users_conversations": CHANNELS,
    "users_info": {"users:read"},
    "views_open": set(),
    "views_publish": set(),
    "views_update": set(),
}
EVENTS: dict[str, set[str]] = {
    "app_context_changed": {"assistant:write"},
    "app_home_opened": set(),
    "app_mention": {"app_mentions:read"},
    "app_uninstalled": set(),
    "channel_archive": {"channels:read"},
    "channel_deleted": {"channels:read"},
    "channel_left": {"channels:read"},
    "channel_unarchive": {"channels:read"},
    "file_deleted": {"files:read"},
    "file_shared": {"files:read"},
    "function_executed": set(),
    "group_archive": {"groups:read"},
    "group_deleted": {"groups:read"},
    "group_left": {"groups:read"},
    "group_unarchive": {"groups:read"},
    "link_shared": {"links:read"},
    "member_joined_channel": {"channels:read", "groups:read"},
    "member_left_channel": {"channels:read", "groups:read"},
    "message.channels": {"channels:history"},
    "message.groups": {"groups:history"},
    "message.im": {"im:history"},
    "tokens_revoked": set(),
}


def subscribed(surfaces: Surfaces | None = None) -> list[str]:
    events: list[str] = read_manifest(None, surfaces, BASE)["settings"]["event_subscriptions"]["bot_events"]
    return events


class Registrations:
    """A replacement for the app that records the registered listeners."""

    def __init__(self) -> None:
        self.names: dict[str, list[str]] = defaultdict(list)

    def __getattr__(self, kind: str) -> Callable[..., Callable[[Any], Any]]:
        def register(name: str, **_: object) -> Callable[[Any], Any]:
            self.names[kind].append(name)
            return lambda listener: listener

        return register


@pytest.fixture(scope="module")
def registered() -> dict[str, list[str]]:
    registrations: Any = Registrations()
    register_listeners(registrations)
    return {kind: sorted(names) for kind, names in registrations.names.items()}


@pytest.fixture(scope="module")
def called() -> set[str]:
    """Return the methods of Slack's Web API that the bot's code calls."""
    api = {
        name for name, _ in inspect.getmembers(AsyncWebClient, inspect.iscoroutinefunction) if "_" in name.strip("_")
    }
    return {node.attr for node in nodes() if isinstance(node, ast.Attribute)} & api


def nodes() -> Iterator[ast.AST]:
    for path in (PROJECT / "bot").rglob("*.py"):
        if OWN_SLACK not in path.parents:
            yield from ast.walk(ast.parse(path.read_text()))


def features() -> dict[str, Any]:
    shown: dict[str, Any] = read_manifest()["features"]
    return shown


def test_commands_match_listeners(registered: dict[str, list[str]]) -> None:
    assert registered["command"] == sorted(each["command"] for each in features()["slash_commands"])


def test_every_command_has_a_help_message(registered: dict[str, list[str]]) -> None:
    assert registered["command"] == sorted(HELP)
    assert all(help_message(command).blocks for command in registered["command"])


def test_shortcuts_match_listeners(registered: dict[str, list[str]]) -> None:
    shortcuts = read_manifest(None, ALL, BASE)["features"]["shortcuts"]
    declared = {
        kind: sorted(each["callback_id"] for each in shortcuts if each["type"] == kind)
        for kind in ("message", "global")
    }
    assert registered["message_shortcut"] == declared["message"]
    assert registered["global_shortcut"] == declared["global"]


def test_global_shortcut_is_declared_only_when_wanted() -> None:
    assert {each["type"] for each in features()["shortcuts"]} == {"message"}
    with_shortcut = read_manifest(surfaces=Surfaces(shortcut=True))
    assert with_shortcut["oauth_config"] == read_manifest()["oauth_config"]
    assert with_shortcut["settings"] == read_manifest()["settings"]
    added = [each for each in with_shortcut["features"]["shortcuts"] if each["type"] == "global"]
    assert [each["name"] for each in added] == ["Find a picture"]
    assert all(len(each["name"]) <= 24 and len(each["description"]) <= 150 for each in added)


def test_events_match_listeners(registered: dict[str, list[str]]) -> None:
    events = sorted({name.partition(".")[0] for name in subscribed(ALL) if name != "function_executed"})
    assert registered["event"] == events


def test_functions_match_listeners(registered: dict[str, list[str]]) -> None:
    manifest = read_manifest(None, ALL, BASE)
    assert registered["function"] == sorted(manifest["functions"])
    assert manifest["features"]["search"]["search_function_callback_id"] in manifest["functions"]


@pytest.mark.parametrize("surfaces", [Surfaces(workflow_step=True), Surfaces(search=True)])
def test_functions_are_declared_only_when_wanted(surfaces: Surfaces) -> None:
    manifest = read_manifest(surfaces=surfaces)
    assert "functions" not in read_manifest()
    assert not read_manifest()["settings"]["org_deploy_enabled"]
    assert manifest["settings"]["org_deploy_enabled"]
    assert manifest["settings"]["function_runtime"] == "remote"
    assert ("search" in manifest["features"]) == surfaces.search
    assert len(manifest["functions"]) == 1
    assert set(subscribed(surfaces)) - set(subscribed()) == {"function_executed"}
    assert bot_scopes(surfaces) == bot_scopes()
    for name, function in manifest["functions"].items():
        assert len(name) <= 100
        assert 1 <= len(function["title"]) <= 255
        assert function["description"]
        for parameters in (function["input_parameters"], function["output_parameters"]):
            assert all(each["name"] == key and each["type"] and each["title"] for key, each in parameters.items())


def test_assistant_panel_is_declared_only_when_wanted() -> None:
    manifest = read_manifest(surfaces=Surfaces(assistant=True))
    assert "agent_view" not in features()
    assert 1 <= len(manifest["features"]["agent_view"]["agent_description"]) <= 300
    assert set(bot_scopes(Surfaces(assistant=True))) - set(bot_scopes()) == {"assistant:write"}
    # Slack names what the person looks at only to apps that subscribe to it.
    assert set(subscribed(Surfaces(assistant=True))) - set(subscribed()) == {"app_context_changed"}
    assert {"app_home_opened", "message.im"} <= set(subscribed())


def test_previews_are_declared_for_the_domain_of_the_images() -> None:
    manifest = read_manifest(None, Surfaces(unfurl=True), BASE)
    assert manifest["features"]["unfurl_domains"] == ["images.example.com"]
    assert "unfurl_domains" not in read_manifest(None, Surfaces(), BASE)["features"]
    assert set(bot_scopes(Surfaces(unfurl=True))) - set(bot_scopes()) == {"links:read", "links:write"}
    assert set(subscribed(Surfaces(unfurl=True))) - set(subscribed()) == {"link_shared"}


@pytest.mark.parametrize(
    "base", ["", "http://127.0.0.1:8000/", "http://[::1]/", "https://images/", "https://10.0.0.7/x/"]
)
def test_previews_need_a_domain(base: str) -> None:
    with pytest.raises(SettingsError, match="only of links with a domain"):
        read_manifest(None, Surfaces(unfurl=True), base)


def test_surfaces_are_named_in_the_settings() -> None:
    assert Surfaces.named("assistant, shortcut") == Surfaces(shortcut=True, assistant=True)
    assert Surfaces.named("") == Surfaces()
    with pytest.raises(SettingsError, match="There is no surface 'panel'"):
        Surfaces.named("panel")


def test_buttons_match_listeners(registered: dict[str, list[str]]) -> None:
    place = {"button": 1, "menu": 1, "which_image_message": 2, "text_input": 1}  # of the action_id among the arguments
    made = set()
    for name, module in modules("findimg_bot").items():
        for node in ast.walk(ast.parse(module.read_text())):
            if not isinstance(node, ast.Call) or ast.unparse(node.func) not in place:
                continue
            action = node.args[place[ast.unparse(node.func)]]
            assert isinstance(action, ast.Name), f"{name}: give the action_id {ast.unparse(action)} a name"
            if action.id.isupper():  # other names are parameters of builders
                made.add(getattr(import_module(name), action.id))
    assert registered["action"] == sorted(made)
    assert read_manifest()["settings"]["interactivity"]["is_enabled"]


def test_manifest_has_every_scope_that_the_code_needs(called: set[str]) -> None:
    unknown = called - set(METHODS)
    assert not unknown, f"Look up the scopes of {unknown} in Slack's reference and put them into METHODS."
    assert {"chat_postMessage", "files_completeUploadExternal", "views_open"} <= called
    scopes = set(bot_scopes(ALL))
    missing = [method for method in called if METHODS[method] and not METHODS[method] & scopes]
    assert not missing
    assert "commands" in scopes
    for event in subscribed(ALL):
        assert EVENTS[event] <= scopes
    for event in subscribed():
        assert EVENTS[event] <= set(bot_scopes())


def test_manifest_has_no_unused_scope(called: set[str]) -> None:
    needed = {"commands"}.union(*(METHODS[method] for method in called))
    needed.update(*(EVENTS[event] for event in subscribed(ALL)))
    assert set(bot_scopes(ALL)) <= needed
    assert len(bot_scopes(ALL)) == len(set(bot_scopes(ALL)))


def test_manifest_keeps_slacks_limits() -> None:
    shown = read_manifest()
    about = shown["display_information"]
    assert len(about["name"]) <= 35
    assert len(about["description"]) <= 140
    assert 174 <= len(about["long_description"]) <= 4000
    assert len(about["background_color"]) == 7
    assert set(features()["bot_user"]["display_name"]) <= set("abcdefghijklmnopqrstuvwxyz0123456789-_.")
    assert len(features()["bot_user"]["display_name"]) <= 80
    assert len(features()["slash_commands"]) <= 50
    for command in features()["slash_commands"]:
        assert command["command"].startswith("/")
        assert len(command["command"]) <= 32
        assert 1 <= len(command["description"]) <= 2000
        assert len(command["usage_hint"]) <= 1000
    assert len(features()["shortcuts"]) <= 10
    for shortcut in features()["shortcuts"]:
        assert 1 <= len(shortcut["name"]) <= 24
        assert len(shortcut["callback_id"]) <= 255
        assert 1 <= len(shortcut["description"]) <= 150
    assert len(shown["settings"]["event_subscriptions"]["bot_events"]) <= 100
    assert len(bot_scopes()) <= 255


def test_direct_messages_and_home_tab_are_enabled() -> None:
    home = features()["app_home"]
    assert home["home_tab_enabled"]
    assert home["messages_tab_enabled"]
    assert not home["messages_tab_read_only_enabled"]


def test_commands_are_not_escaped() -> None:
    assert not any(command["should_escape"] for command in features()["slash_commands"])


def test_socket_mode_manifest_has_no_address() -> None:
    manifest = read_manifest()
    assert manifest["settings"]["socket_mode_enabled"]
    assert "://" not in json.dumps(manifest)


@pytest.mark.parametrize("url", ["https://findimg.example.com", "https://findimg.example.com/"])
def test_http_manifest_uses_one_address(url: str) -> None:
    manifest = read_manifest(url)
    events = "https://findimg.example.com/slack/events"
    assert not manifest["settings"]["socket_mode_enabled"]
    assert manifest["settings"]["event_subscriptions"]["request_url"] == events
    assert manifest["settings"]["interactivity"]["request_url"] == events
    assert {command["url"] for command in manifest["features"]["slash_commands"]} == {events}
    assert manifest["oauth_config"]["redirect_urls"] == ["https://findimg.example.com/slack/oauth_redirect"]
    assert manifest["oauth_config"]["scopes"] == read_manifest()["oauth_config"]["scopes"]


def test_address_may_have_a_path() -> None:
    manifest = read_manifest("https://example.com/findimg/")
    assert manifest["settings"]["interactivity"]["request_url"] == "https://example.com/findimg/slack/events"


@pytest.mark.parametrize("url", ["http://findimg.example.com", "findimg.example.com", "", "https://", "https:///x"])
def test_address_must_be_https(url: str) -> None:
    with pytest.raises(SettingsError, match=r"starts with https://\. Received: "):
        read_manifest(url)
