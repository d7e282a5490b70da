"""The app's manifest, which declares its commands, scopes and events to Slack. The source is manifest.json."""

import json
import re
from importlib.resources import files
from typing import Any

from findimg.errors import SettingsError

EVENTS_PATH = "/slack/events"
INSTALL_PATH = "/slack/install"
REDIRECT_PATH = "/slack/oauth_redirect"


def read_manifest(url: str | None = None) -> dict[str, Any]:
    """Return the manifest for Socket Mode, or for a bot that Slack reaches over HTTP.

    Args:
        url: the bot's public address, such as `https://findimg.example.com`; None for Socket Mode.

    Raises:
        SettingsError: the address does not start with https://.
    """
    manifest: dict[str, Any] = json.loads(files("findimg_bot.slack").joinpath("manifest.json").read_text())
    if url is None:
        return manifest
    if not re.match(r"https://[^/\s]", url):
        raise SettingsError(f"Slack needs an address that starts with https://. Received: {url!r}.")
    origin = url.rstrip("/")
    request_url = origin + EVENTS_PATH
    features, settings = manifest["features"], manifest["settings"]
    for command in features["slash_commands"]:
        command["url"] = request_url
    settings["socket_mode_enabled"] = False
    settings["event_subscriptions"]["request_url"] = request_url
    settings["interactivity"]["request_url"] = request_url
    manifest["oauth_config"]["redirect_urls"] = [origin + REDIRECT_PATH]
    return manifest


def bot_scopes() -> list[str]:
    """Return the scopes that the bot needs."""
    scopes: list[str] = read_manifest()["oauth_config"]["scopes"]["bot"]
    return scopes
