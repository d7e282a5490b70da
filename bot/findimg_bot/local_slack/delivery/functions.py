"""Functions of the app that Slack runs: steps of workflows, and the search of Enterprise plans."""

import asyncio
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from findimg_bot.local_slack.delivery.events import Events
from findimg_bot.local_slack.delivery.http import DeliveryError
from findimg_bot.local_slack.fault_injection import Timing
from findimg_bot.local_slack.model.json_checks import Check, Report, list_of, object_with, string, url
from findimg_bot.local_slack.model.state import Json, Team, User, new_id

RESULTS = 50
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_TYPES: dict[str, type] = {"string": str, "integer": int, "number": float, "boolean": bool, "object": dict}


def _date(value: object, where: str, report: Report) -> None:
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        report.add("must be a date such as 2026-01-31", where)


_RESULTS: Check = list_of(
    object_with(
        {
            "external_ref": object_with({"id": string(255)}, {"type": string(255)}),
            "title": string(1000),
            "description": string(10_000),
            "link": url(3000),
            "date_updated": _date,
        },
        {"content": string(100_000, 0)},
    ),
    RESULTS,
    least=0,
)


class FunctionError(Exception):
    """A function that failed. The text is the app's reason, or what is wrong with its answer."""


@dataclass(slots=True)
class Execution:
    """One run of a function, until the app completes it."""

    team: Team
    callback_id: str
    done: asyncio.Future[Json]
    id: str = field(default_factory=lambda: new_id("Fx"))
    token: str = field(default_factory=lambda: f"xwfp-{secrets.token_hex(16)}", repr=False)


class Functions:
    """Runs the functions of the app's manifest."""

    def __init__(self, definitions: Mapping[str, Json], events: Events, app_id: str, timing: Timing):
        """Args:
        definitions: callback id → the function, as in the manifest.
        """
        self.definitions = definitions
        self._events = events
        self._app_id = app_id
        self._timing = timing
        self._running: dict[str, Execution] = {}  # by id

    async def run(self, team: Team, callback_id: str, inputs: Mapping[str, Any], user: User) -> Json:
        """Run a step of a workflow and return its outputs.

        Args:
            inputs: as the workflow gives them, without the person.
            user: who started the workflow.

        Raises:
            FunctionError: the app failed.
        """
        execution = self._start(team, callback_id)
        try:
            await self._deliver(execution, inputs, user, self._timing.acknowledge)
            return await asyncio.wait_for(execution.done, self._timing.function)
        except TimeoutError as error:
            raise FunctionError("The app did not complete the step.") from error
        finally:
            self._end(execution)

    async def search(self, team: Team, callback_id: str, inputs: Mapping[str, Any], user: User) -> Json:
        """Run a search and return its outputs. The app must complete it before it acknowledges the event.

        Raises:
            FunctionError: the app failed.
        """
        execution = self._start(team, callback_id)
        try:
            await self._deliver(execution, inputs, user, self._timing.search)
            if not execution.done.done():
                raise FunctionError("The app acknowledged the search before it completed it.")
            return execution.done.result()
        finally:
            self._end(execution)

    def complete(self, execution_id: str, outputs: object) -> str:
        """Complete a run; return Slack's error, empty where there is none."""
        execution = self._running.get(execution_id)
        if execution is None or execution.done.done():
            return "function_execution_not_in_running_state"
        if not isinstance(outputs, dict) or _problems(self.definitions[execution.callback_id], outputs):
            return "parameter_validation_failed"
        execution.done.set_result(outputs)
        self._revoke(execution)
        return ""

    def fail(self, execution_id: str, reason: str) -> str:
        """End a run with a reason; return Slack's error, empty where there is none."""
        execution = self._running.get(execution_id)
        if execution is None or execution.done.done():
            return "function_execution_not_in_running_state"
        execution.done.set_exception(FunctionError(reason))
        execution.done.exception()  # retrieved, also when nobody waits
        self._revoke(execution)
        return ""

    def _start(self, team: Team, callback_id: str) -> Execution:
        execution = Execution(team, callback_id, asyncio.get_running_loop().create_future())
        self._running[execution.id] = execution
        team.installation.workflow_tokens.add(execution.token)
        return execution

    def _end(self, execution: Execution) -> None:
        del self._running[execution.id]
        self._revoke(execution)

    def _revoke(self, execution: Execution) -> None:
        """Slack ends the validity of a run's token with the run."""
        execution.team.installation.workflow_tokens.discard(execution.token)

    async def _deliver(self, execution: Execution, inputs: Mapping[str, Any], user: User, seconds: float) -> None:
        definition = self.definitions[execution.callback_id]
        given = dict(inputs)
        for name, parameter in definition.get("input_parameters", {}).items():
            if parameter["type"] == "slack#/types/user_context":
                given[name] = {"id": user.id, "secret": secrets.token_hex(8)}
        event = {
            "type": "function_executed",
            "function": {
                "id": new_id("Fn"),
                "callback_id": execution.callback_id,
                "title": definition["title"],
                "description": definition["description"],
                "type": "app",
                "input_parameters": list(definition.get("input_parameters", {}).values()),
                "output_parameters": list(definition.get("output_parameters", {}).values()),
                "app_id": self._app_id,
            },
            "inputs": given,
            "function_execution_id": execution.id,
            "workflow_execution_id": new_id("Wx"),
            "event_ts": execution.team.next_ts(),
            "bot_access_token": execution.token,
        }
        try:
            await self._events.send_once(execution.team, event, seconds)
        except DeliveryError as error:
            raise FunctionError(f"The app failed with the error {error}.") from error


def _problems(definition: Json, outputs: Json) -> list[str]:
    """Return the problems for which Slack refuses the outputs of a function."""
    report = Report(lambda slack_file: False)
    for name, parameter in definition.get("output_parameters", {}).items():
        if name not in outputs:
            if parameter.get("is_required"):
                report.add(f"missing required field: {name}", "/outputs")
        elif parameter["type"] == "slack#/types/search_results":
            _RESULTS(outputs[name], f"/outputs/{name}", report)
        elif not isinstance(outputs[name], _TYPES.get(parameter["type"], object)):
            report.add(f"must be of type {parameter['type']}", f"/outputs/{name}")
    return report.messages
