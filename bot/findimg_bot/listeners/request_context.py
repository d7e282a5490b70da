"""What the context of a request holds for its listener, with types. `Admission` puts it there."""

from slack_bolt.context.async_context import AsyncBoltContext

from findimg_bot.service.bot_services import BotServices
from findimg_bot.slack.installation.workspaces import Workspaces
from findimg_bot.slack.person import Person

_SERVICES, _PERSON, _WORKSPACES = "services", "person", "workspaces"  # keys


def fill_context(context: AsyncBoltContext, services: BotServices, person: Person, workspaces: Workspaces) -> None:
    """Put into a context what listeners need."""
    context[_SERVICES] = services
    context[_PERSON] = person
    context[_WORKSPACES] = workspaces


def services_of(context: AsyncBoltContext) -> BotServices:
    """Return the parts of the bot."""
    services: BotServices = context[_SERVICES]
    return services


def person_of(context: AsyncBoltContext) -> Person:
    """Return the person who caused a request."""
    person: Person = context[_PERSON]
    return person


def workspaces_of(context: AsyncBoltContext) -> Workspaces:
    """Return the workspaces that have the app."""
    workspaces: Workspaces = context[_WORKSPACES]
    return workspaces


def team_of(context: AsyncBoltContext) -> str:
    """Return the id of the workspace that sent a request, or of the organisation for an org-wide installation."""
    result = context.authorize_result
    installed = result and (result.team_id or result.enterprise_id)
    return str(installed or context.team_id or context.enterprise_id)
