"""Check that dashboard and alerts are valid PromQL and use existing metrics."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import promql_parser
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import CollectorRegistry
from pydantic import BaseModel, ConfigDict, Field

from findimg.errors import QueryError
from findimg.settings import Settings
from findimg_bot.service.metrics import Metrics
from findimg_jobs.reporting.notifications import notify_when_done
from findimg_jobs.reporting.run_report import RunReport

PROJECT = Path(__file__).parents[2]
DASHBOARD = PROJECT / "infra" / "grafana" / "dashboard.json"
RULES = PROJECT / "infra" / "prometheus" / "rules.yaml"
Labels = dict[str, set[str]]


class Strict(BaseModel):
    """A model that refuses unknown fields."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Annotations(Strict):
    summary: str
    runbook: str


class Alert(Strict):
    """An alerting rule (Prometheus' rulefmt.Rule), with the annotations that are used here."""

    alert: str = Field(pattern="^Findimg[A-Za-z]+$")
    expr: str
    for_: str = Field(default="0s", alias="for", pattern=r"^\d+[smh]$")
    labels: dict[Literal["severity"], Literal["warning", "critical"]]
    annotations: Annotations


class Group(Strict):
    name: str
    rules: list[Alert]


class Rules(Strict):
    groups: list[Group]


class Target(Strict):
    refId: str
    expr: str
    legendFormat: str


class Panel(Strict):
    """The fields of Grafana's panels that are used here."""

    id: int
    title: str
    type: Literal["stat", "timeseries"]
    datasource: dict[Literal["type", "uid"], str]
    gridPos: dict[Literal["x", "y", "w", "h"], int]
    fieldConfig: dict[Literal["defaults", "overrides"], Any]
    options: dict[Literal["colorMode", "graphMode", "textMode"], str] = {}
    targets: list[Target] = Field(min_length=1)


def alerts() -> list[Alert]:
    return [rule for group in Rules.model_validate(yaml.safe_load(RULES.read_text())).groups for rule in group.rules]


def panels() -> list[Panel]:
    return [Panel.model_validate(each) for each in json.loads(DASHBOARD.read_text())["panels"]]


def shown() -> Iterator[str]:
    for panel in panels():
        for target in panel.targets:
            yield target.expr.replace("$__rate_interval", "5m")


def told(text: str) -> Labels:
    """Return the names of the samples with the names of their labels."""
    found: Labels = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


@pytest.fixture(scope="module")
def exposed(tmp_path_factory: pytest.TempPathFactory) -> Labels:
    """Return the metrics of a bot after questions and of a finished run."""
    from prometheus_client import generate_latest

    metrics = Metrics()
    with pytest.raises(QueryError), metrics.measuring_request("findimg"):
        raise QueryError("no")
    metrics.serving("v", 1, 0.0)
    metrics.add_connection_gauge()
    metrics.set_connected(True)
    file = tmp_path_factory.mktemp("metrics") / "findimg.prom"
    report = RunReport("r", "published", "v", 1, 1, 0, 0, 0, 1, 1.0, 1.0, {"embed": 1.0}, {}, 1, 0, 1, [])
    with notify_when_done(Settings(library="l"), file) as ended:
        ended(report)
    registry: CollectorRegistry = metrics.registry
    return told(generate_latest(registry).decode()) | told(file.read_text())


def selectors(node: Any) -> Iterator[Any]:
    """Yield every vector selector of an expression."""
    if isinstance(node, promql_parser.VectorSelector):
        yield node
    for name in ("expr", "lhs", "rhs", "vector_selector", "param"):
        if (child := getattr(node, name, None)) is not None:
            yield from selectors(child)
    for child in getattr(node, "args", None) or ():
        yield from selectors(child)


EXPRESSIONS = [*dict.fromkeys([*(rule.expr for rule in alerts()), *shown()])]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_expressions_are_valid_and_use_existing_metrics(expression: str, exposed: Labels) -> None:
    found = list(selectors(promql_parser.parse(expression)))
    assert {each.name for each in found} == set(re.findall(r"findimg_\w+", expression))
    for selector in found:
        assert selector.name in exposed
        assert {matcher.name for matcher in selector.matchers.matchers} <= exposed[selector.name]


def test_used_labels_exist(exposed: Labels) -> None:
    # Prometheus itself adds these two.
    known = set().union(*exposed.values()) | {"job", "instance"}
    for expression in EXPRESSIONS:
        for names in re.findall(r"(?:by|ignoring) \(([^)]*)\)", expression):
            assert set(re.split(r",\s*", names)) <= known
    told = [*(target.legendFormat for panel in panels() for target in panel.targets)]
    told += [re.sub(r"\$labels\.", "", rule.annotations.summary) for rule in alerts()]
    for text in told:
        assert set(re.findall(r"\{\{ ?(\w+) ?\}\}", text)) <= known


def test_dashboard_shows_every_metric(exposed: Labels) -> None:
    mentioned = {name for expression in EXPRESSIONS for name in re.findall(r"findimg_\w+", expression)}
    told = {name for name in exposed if not name.endswith("_created")}
    assert told <= mentioned


def test_panels_do_not_overlap() -> None:
    places = [
        (panel.gridPos["x"] + column, panel.gridPos["y"] + row)
        for panel in panels()
        for column in range(panel.gridPos["w"])
        for row in range(panel.gridPos["h"])
    ]
    assert len(places) == len(set(places))
    assert max(x for x, _ in places) == 23
    assert len({panel.id for panel in panels()}) == len(panels())


def test_every_alert_links_to_the_runbook() -> None:
    runbook = (PROJECT / "docs" / "runbook.md").read_text()
    anchors = {
        re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"^## (.*)$", runbook, re.MULTILINE)
    }
    for rule in alerts():
        path, _, anchor = rule.annotations.runbook.partition("#")
        assert (path, anchor in anchors) == ("docs/runbook.md", True), rule.alert


@pytest.mark.parametrize("wrong", ["sum(findimg_images", "rate(findimg_images)", "findimg_images{a=}"])
def test_invalid_promql_is_rejected(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        promql_parser.parse(wrong)
