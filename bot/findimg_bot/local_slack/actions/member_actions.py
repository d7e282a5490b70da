"""All actions of a person, for the page and for tests."""

from findimg_bot.local_slack.actions.conversation_actions import ConversationActions
from findimg_bot.local_slack.actions.interactions import Interactions
from findimg_bot.local_slack.actions.surface_actions import SurfaceActions
from findimg_bot.local_slack.model.state import Json


class MemberActions(ConversationActions, Interactions, SurfaceActions):
    """All actions of one person in a team."""

    def state(self) -> Json:
        """Return all that this person can see, as the page needs it."""
        return self.services.page_updates.state(self.team, self.user)
