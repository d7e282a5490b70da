"""The step for Workflow Builder and the results in Slack's search, in Socket Mode and over HTTP."""

import re
from typing import Any

import pytest

from tests.bot.conftest import IMAGE_BASE_URL
from tests.bot.person import Json
from tests.bot.team import Team

pytestmark = pytest.mark.slow


@pytest.fixture
def team(equipped: Team) -> Team:
    """Return a workspace whose app has all surfaces."""
    return equipped


def step(team: Team, **inputs: Any) -> Json:
    """Run the step and return its outputs."""
    outputs: Json = team.person.ask("step", callback_id="find_pictures", inputs=inputs)["outputs"]
    return outputs


def search(team: Team, query: str) -> list[Json]:
    """Search and return the results."""
    results: list[Json] = team.person.ask("search", query=query)["results"]
    return results


def test_step_returns_links_to_the_best_pictures(team: Team) -> None:
    outputs = step(team, words="dalmatian", count=3)
    lines = outputs["links"].splitlines()
    assert len(lines) == min(3, outputs["found"])
    assert lines[0] == f"dalmatian.jpg: {IMAGE_BASE_URL}dalmatian.jpg"
    assert outputs["first_link"] == f"{IMAGE_BASE_URL}dalmatian.jpg"


def test_step_returns_five_pictures_at_most_ten(team: Team) -> None:
    assert len(step(team, words="animal")["links"].splitlines()) == 5
    assert len(step(team, words="animal", count=1000)["links"].splitlines()) == 10


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("elephhhantx", "'elephhhantx' is unknown"),
        ("", "The step needs words"),
        ("thanks!", "The step needs words"),
    ],
)
def test_step_ends_with_the_reason_why_there_are_no_pictures(team: Team, words: str, reason: str) -> None:
    answer = team.person.try_to("step", callback_id="find_pictures", inputs={"words": words})
    assert not answer["ok"]
    assert reason in answer["error"]


def test_search_returns_at_most_fifty_pictures_with_links(team: Team) -> None:
    results = search(team, "animal")
    assert 10 <= len(results) <= 50
    best = search(team, "dalmatian")[0]
    assert best["title"] == "dalmatian.jpg"
    assert best["link"] == f"{IMAGE_BASE_URL}dalmatian.jpg"
    assert re.match(r"\w+ match · .*shows .*dalmatian", best["description"])
    assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", best["date_updated"])
    assert len({each["external_ref"]["id"] for each in results}) == len(results)


@pytest.mark.parametrize("query", ["elephhhantx", "hello", "help", "((", "before:nonsense"])
def test_search_for_something_else_finds_nothing(team: Team, query: str) -> None:
    assert search(team, query) == []


def test_search_is_completed_with_the_token_of_its_run(team: Team) -> None:
    team.faults.calls.clear()
    search(team, "cat")
    assert [method for method, _ in team.faults.calls] == ["functions.completeSuccess"]
    assert team.slack.workspace.team.installation.workflow_tokens == set()


def test_step_that_slack_does_not_take_leaves_no_traceback(team: Team) -> None:
    team.faults.failing["functions.completeSuccess"] = team.faults.failing["functions.completeError"] = "internal_error"
    team.slack.workspace.timing.function = 1.0
    try:
        for words in ("cat", "elephhhantx"):
            answer = team.person.try_to("step", callback_id="find_pictures", inputs={"words": words})
            assert answer["error"] == "The app did not complete the step."
    finally:
        team.faults.failing.clear()
        team.slack.workspace.timing.function = 30.0
    assert "Traceback" not in team.log.read_text()


def test_failure_of_slack_leaves_the_search_without_results(team: Team) -> None:
    team.faults.failing["functions.completeSuccess"] = "internal_error"
    try:
        answer = team.person.try_to("search", query="cat")
    finally:
        team.faults.failing.clear()
    assert "before it completed it" in answer["error"]
    assert search(team, "cat")
