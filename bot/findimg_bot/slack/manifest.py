"""The app's manifest, which declares its commands, scopes and events to Slack.

The sources are manifest.json, and surfaces.json with what each optional surface adds to it.
"""

import json
import re
from dataclasses import dataclass, fields
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

from findimg.errors import SettingsError

EVENTS_PATH = "/slack/events"
INSTALL_PATH = "/slack/install"
REDIRECT_PATH = "/slack/oauth_redirect"


@dataclass(frozen=True, slots=True)
class Surfaces:
    """The optional surfaces of Slack that the app uses."""

    shortcut: bool = False  # the global shortcut `Find a picture`
    assistant: bool = False  # the panel beside a channel, Slack's `agent_view`
    unfurl: bool = False  # previews of links to the library's images
    workflow_step: bool = False  # a step for Workflow Builder
    search: bool = False  # results in Slack's own search, on Enterprise plans
    channels: bool = False  # pictures that were posted in channels, for the people who may see them
    live: bool = False  # the same, found and removed within seconds

    @classmethod
    def named(cls, names: str) -> "Surfaces":
        """Return the surfaces with these names, separated by commas or blanks.

        Raises:
            SettingsError: a name is unknown.
        """
        known = [field.name for field in fields(cls)]
        wanted = names.replace(",", " ").split()
        for name in wanted:
            if name not in known:
                raise SettingsError(f"There is no surface {name!r}. FINDIMG_SLACK_SURFACES takes {', '.join(known)}.")
        return cls(**dict.fromkeys(wanted, True))


def read_manifest(url: str | None = None, surfaces: Surfaces | None = None, image_base_url: str = "") -> dict[str, Any]:
    """Return the manifest for Socket Mode, or for a bot that Slack reaches over HTTP.

    Args:
        url: the bot's public address, such as `https://findimg.example.com`; None for Socket Mode.
        surfaces: which optional surfaces to declare; None declares none.
        image_base_url: where people can open images. Slack reports links below its domain to an app that unfurls.

    Raises:
        SettingsError: the address does not start with https://, or the app cannot unfurl links of `image_base_url`.
    """
    manifest = _read("manifest.json")
    if surfaces:
        _add_surfaces(manifest, surfaces)
        if surfaces.unfurl:
            domain = unfurl_domain(image_base_url)
            if not domain:
                raise SettingsError(
                    "Slack shows previews only of links with a domain, such as https://images.example.com/. Set "
                    f"FINDIMG_IMAGE_BASE_URL or --image-base-url to one. Received: {image_base_url!r}."
                )
            manifest["features"]["unfurl_domains"] = [domain]
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


def bot_scopes(surfaces: Surfaces | None = None) -> list[str]:
    """Return the scopes that the bot needs.

    Args:
        surfaces: which optional surfaces the app declares; None declares none.
    """
    manifest = _read("manifest.json")
    if surfaces:
        _add_surfaces(manifest, surfaces)
    scopes: list[str] = manifest["oauth_config"]["scopes"]["bot"]
    return scopes


def unfurl_domain(image_base_url: str) -> str:
    """Return the domain of the images' addresses, empty where Slack cannot report links to it.

    Slack takes neither IP addresses nor names without a dot.
    """
    host = urlsplit(image_base_url).hostname or ""
    return host if re.fullmatch(r"(?:[a-z0-9-]+\.)+[a-z][a-z0-9-]+", host) else ""


def _add_surfaces(manifest: dict[str, Any], surfaces: Surfaces) -> None:
    parts = _read("surfaces.json")
    for field in fields(surfaces):
        if getattr(surfaces, field.name):
            _merge(manifest, parts[field.name])


def _merge(target: dict[str, Any], part: dict[str, Any]) -> None:
    """Add a part to a manifest: objects are merged, lists are joined without duplicates."""
    for name, value in part.items():
        present = target.get(name)
        if isinstance(value, dict) and isinstance(present, dict):
            _merge(present, value)
        elif isinstance(value, list) and isinstance(present, list):
            joined = present + [each for each in value if each not in present]
            target[name] = sorted(joined) if all(isinstance(each, str) for each in joined) else joined
        else:
            target[name] = value


def _read(name: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(files("findimg_bot.slack").joinpath(name).read_text("utf-8"))
    return read
