"""The assistant panel of a direct message with the app: suggestions, and progress in its threads."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from findimg_bot.local_slack.model.json_checks import Report, list_of, object_with, string

Json = dict[str, Any]
PROMPTS = 4
_PROMPTS = list_of(object_with({"title": string(75), "message": string(3000)}), PROMPTS)


@dataclass(slots=True)
class Panel:
    """What the panel of one person shows beside the messages."""

    title: str = ""  # of the suggestions
    prompts: list[Json] = field(default_factory=list)
    statuses: dict[str, str] = field(default_factory=dict)  # ts of a thread → what the app does, after its name


def prompt_problems(prompts: object) -> list[str]:
    """Return the problems for which Slack refuses suggestions, as `message_problems` does for blocks."""
    report = Report(lambda slack_file: False)
    _PROMPTS(prompts, "/prompts", report)
    return report.messages


def viewed(channel: str, team: str) -> Mapping[str, Any]:
    """Return what a person looks at, as events describe it.

    Args:
        channel: id of the channel; empty where the person looks at none.
        team: id of the team.
    """
    if not channel:
        return {}
    return {"entities": [{"type": "slack#/types/channel_id", "value": channel, "team_id": team}]}
