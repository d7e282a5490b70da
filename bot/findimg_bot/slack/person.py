"""Who caused a request of Slack."""

from dataclasses import dataclass

from slack_bolt.context.async_context import AsyncBoltContext

from findimg_bot.slack_objects import SlackObject


@dataclass(frozen=True, slots=True)
class Person:
    """The person who caused a request. `Viewer` is who sees the answer."""

    team: str  # id of the person's own workspace; empty for a workflow
    user: str  # id; empty for a workflow or an event without a person
    is_member: bool  # whether the workspace or organisation installed the app, so that the person is no guest

    @property
    def qualified_id(self) -> str:
        """The id with that of the workspace, `T…/U…`, as events of taught names store it."""
        return f"{self.team}/{self.user}"


def read_person(body: SlackObject, context: AsyncBoltContext) -> Person:
    """Return the person who caused a request.

    With Slack Connect, people of other organisations share channels with the bot.
    """
    team = _team(body)
    is_member = _is_member(team, body, context)
    if is_member and not team:
        team = str(context.team_id or context.enterprise_id or "")
    return Person(team, str(context.user_id or ""), is_member)


def _is_member(team: str, body: SlackObject, context: AsyncBoltContext) -> bool:
    result = context.authorize_result
    installed = {result.team_id, result.enterprise_id} - {None} if result else set()
    if result and result.team_id is None:
        # An org-wide installation serves the workspaces for which Slack delivers an event.
        installed |= {each.get("team_id") for each in body.get("authorizations") or ()} - {None}
    shared = bool(body.get("is_ext_shared_channel"))
    if not team:
        return not shared  # a workflow of the own workspace has no team
    if team in installed:
        return True
    # An org-wide installation serves all workspaces of the organisation.
    enterprise = body.get("enterprise_id") or (body.get("enterprise") or {}).get("id")
    return not shared and result is not None and enterprise is not None and enterprise == result.enterprise_id


def _team(body: SlackObject) -> str:
    """Return the team of the person who caused a request, empty where Slack does not give it."""
    if event := body.get("event"):
        team = event.get("user_team") or event.get("source_team") or event.get("team")
    elif "command" in body:
        team = body.get("team_id")
    else:
        team = (body.get("user") or {}).get("team_id") or (body.get("team") or {}).get("id")
    return str(team or "")
