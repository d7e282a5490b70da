"""The parts of a workspace that people's actions use, and the errors of actions."""

from collections.abc import Mapping
from dataclasses import dataclass

from findimg_bot.local_slack.delivery.events import Events
from findimg_bot.local_slack.delivery.functions import Functions
from findimg_bot.local_slack.delivery.http import Delivery
from findimg_bot.local_slack.delivery.response_urls import ResponseUrls
from findimg_bot.local_slack.fault_injection import Timing
from findimg_bot.local_slack.model.files import Files
from findimg_bot.local_slack.model.messages import Messages
from findimg_bot.local_slack.model.page_updates import PageUpdates
from findimg_bot.local_slack.model.state import Json
from findimg_bot.local_slack.model.views import Views


class UserActionError(Exception):
    """An action that is not possible. The text is shown to the person."""


class ModalError(Exception):
    """Refused inputs of a modal.

    Attributes:
        errors: block id → the problem.
    """

    def __init__(self, errors: Mapping[str, str]):
        super().__init__("; ".join(errors.values()))
        self.errors = dict(errors)


@dataclass(frozen=True, slots=True)
class WorkspaceServices:
    """The parts of a workspace that actions use."""

    manifest: Json
    app_id: str
    address: str
    delivery: Delivery
    events: Events
    page_updates: PageUpdates
    files: Files
    response_urls: ResponseUrls
    messages: Messages
    timing: Timing
    views: Views
    functions: Functions
