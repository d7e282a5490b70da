"""Middleware before all listeners: it passes on only requests that are genuine, not repeated and allowed.

`admission_rules.py` decides who may ask, and where. Then Bolt calls the listener that the `__init__.py` of its folder
registered, such as `listeners/commands/`.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from urllib.parse import urlsplit

from slack_bolt.context.async_context import AsyncBoltContext
from slack_bolt.middleware.async_middleware import AsyncMiddleware
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.errors import SlackClientError

from findimg.settings import Settings
from findimg_bot.errors import SLACK_ERRORS, slack_failure
from findimg_bot.listeners.admission_rules import AdmissionRules, is_about_pictures, is_chat_in_channel
from findimg_bot.listeners.request_context import fill_context
from findimg_bot.service.bot_services import BotServices
from findimg_bot.service.request_recovery import UnansweredRequest
from findimg_bot.slack.blocks.modals.find_picture import refusal_modal
from findimg_bot.slack.delivery_record import current_delivery
from findimg_bot.slack.installation.workspaces import Workspaces
from findimg_bot.slack.person import read_person
from findimg_bot.slack.pictures.download import SLACK_API
from findimg_bot.slack.rate_limit import ANSWER_SECONDS, longest_wait
from findimg_bot.slack.visibility import Viewer, current_viewer
from findimg_bot.slack_objects import SlackObject

UNANSWERED_REQUEST = "unanswered_request"  # key of the context
_HOOKS = "https://hooks.slack.com"
_INTERRUPTED = "findimg was interrupted while it sent an answer to you. If you do not see the answer here, ask again."
_log = logging.getLogger(__name__)


class Admission(AsyncMiddleware):
    """Middleware for all requests. It puts the services into the context for the listeners."""

    def __init__(self, settings: Settings, services: BotServices, workspaces: Workspaces):
        api = urlsplit(settings.slack_api_url)
        hooks = urlsplit(_HOOKS) if settings.slack_api_url == SLACK_API else api
        self._hooks = hooks.scheme, hooks.netloc
        self._rules = AdmissionRules(settings)
        self._services = services
        self._workspaces = workspaces

    async def async_process(
        self, *, req: AsyncBoltRequest, resp: BoltResponse, next: Callable[[], Awaitable[BoltResponse]]
    ) -> BoltResponse:
        """Pass a request on to its listener, or refuse it."""
        body, context = req.body, req.context
        addresses = [body.get("response_url"), *(each.get("response_url") for each in body.get("response_urls") or ())]
        if not all(self._is_slack_url(each) for each in addresses):
            _log.warning("A request was refused because its response_url is not Slack's.")
            return BoltResponse(status=403, body="This response_url is not Slack's.")
        if is_chat_in_channel(body):
            return BoltResponse(status=200)
        if not await self._record_if_new(body, context):
            return BoltResponse(status=200)
        request: UnansweredRequest | None = context.get(UNANSWERED_REQUEST)
        if reason := self._rules.refusal(body, context):
            response = await self._refuse(body, context, reason)
            if request:
                await request.finish()
            return response
        if request and request.is_interrupted:
            await _report_interruption(body, context)
            await request.finish()
            return BoltResponse(status=200)
        self._rules.hide_other_channel(body)
        fill_context(context, self._services, read_person(body, context), self._workspaces)
        current_viewer.set(
            Viewer(context.client, str(context.team_id or context.enterprise_id or ""), _user(body, context))
        )
        current_delivery.set(request)
        longest_wait.set(ANSWER_SECONDS)
        return await next()

    async def _record_if_new(self, body: SlackObject, context: AsyncBoltContext) -> bool:
        """Record a request until it is answered, and return whether it is new.

        Of events about pictures only the id is kept, to recognise repeats. If such an event is lost, the comparison
        with Slack finds the change.
        """
        if is_about_pictures(body):
            event = body.get("event_id")
            return not event or await asyncio.to_thread(self._services.store.is_new_event, event)
        if UNANSWERED_REQUEST in context:
            return True
        request = await self._services.recovery.record(body, str(context.team_id or context.enterprise_id or ""))
        context[UNANSWERED_REQUEST] = request
        return request is not None

    def _is_slack_url(self, response_url: str | None) -> bool:
        if response_url is None:
            return True
        parts = urlsplit(response_url)
        return (parts.scheme, parts.netloc) == self._hooks

    async def _refuse(self, body: SlackObject, context: AsyncBoltContext, reason: str) -> BoltResponse:
        if "command" in body:
            return BoltResponse(status=200, body=reason)
        if body.get("type") == "shortcut":
            with suppress(SlackClientError):
                await context.client.views_open(trigger_id=body["trigger_id"], view=refusal_modal(reason))
            return BoltResponse(status=200)
        if context.function_execution_id:
            with suppress(*SLACK_ERRORS):
                await context.client.functions_completeError(
                    function_execution_id=context.function_execution_id, error=reason
                )
            return BoltResponse(status=200)
        event = body.get("event")
        # Only a new message expects an answer: not an edit, a message of an app, or opening the Home tab.
        asked = event is None or (
            event.get("type") in ("app_mention", "message")
            and event.get("subtype") in (None, "file_share", "thread_broadcast")
            and "bot_id" not in event
        )
        if asked:
            await _tell(body, context, reason)
        return BoltResponse(status=200)


async def _tell(body: SlackObject, context: AsyncBoltContext, text: str) -> None:
    """Tell the person who caused a request something, where that was."""
    if not context.channel_id or not context.user_id:
        return
    try:
        await context.client.chat_postEphemeral(
            channel=context.channel_id, user=context.user_id, text=text, thread_ts=_thread(body)
        )
    except SLACK_ERRORS as error:
        _log.info("A person got no message: %s", slack_failure(error))


async def _report_interruption(body: SlackObject, context: AsyncBoltContext) -> None:
    """Tell the person that another bot ended while it sent the answer."""
    respond = context.respond
    if respond is None or not body.get("response_url"):
        await _tell(body, context, _INTERRUPTED)
        return
    with suppress(*SLACK_ERRORS):
        await respond(_INTERRUPTED, response_type="ephemeral", replace_original=False)


def _thread(body: SlackObject) -> str | None:
    """Return the thread in which somebody asked, None outside of threads."""
    about = body.get("event") or body.get("container") or body.get("message") or {}
    return about.get("thread_ts")


def _user(body: SlackObject, context: AsyncBoltContext) -> str:
    """Return the id of the person who caused a request, empty if Slack names nobody."""
    inputs = (body.get("event") or {}).get("inputs") or {}
    return str(context.user_id or (inputs.get("user_context") or {}).get("id") or "")
