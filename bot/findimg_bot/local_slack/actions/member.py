"""A person in a team: what the person may see, and the payloads of the person's clicks."""

import time

from findimg_bot.local_slack.actions.services import UserActionError, WorkspaceServices
from findimg_bot.local_slack.delivery.http import INTERACTIVE, DeliveryError
from findimg_bot.local_slack.model.state import Channel, File, Json, Message, Team, User, View


class Member:
    """A person in a team."""

    def __init__(self, services: WorkspaceServices, team: Team, user: User):
        self.services = services
        self.team = team
        self.user = user

    async def send_interaction(self, payload: Json, trouble: str = "") -> Json:
        """Send the payload of a click, a shortcut or a modal to the bot, and return its acknowledgement.

        Args:
            trouble: what the person is told when the bot does not acknowledge. Without it, the error is named.

        Raises:
            UserActionError: the app is not installed, or the bot did not acknowledge.
        """
        home, organisation = self.user.home_team or self.team.id, self.team.organisation
        common = {
            "token": "deprecated",
            "team": {"id": self.team.id, "domain": self.team.name},
            "user": {"id": self.user.id, "username": self.user.name, "name": self.user.name, "team_id": home},
            "api_app_id": self.services.app_id,
            "enterprise": organisation and {"id": organisation.id, "name": organisation.name},
            "is_enterprise_install": self.team.installation.org_wide,
            "action_ts": now(),
        }
        if payload["type"] != "view_closed":
            common["trigger_id"] = self.services.views.new_trigger(self.team, self.user.id)
        if not self.team.installed:
            raise UserActionError(f"{self.team.bot.name} is no longer in this team.")
        try:
            return await self.services.delivery.send(INTERACTIVE, common | payload, self.services.timing.acknowledge)
        except DeliveryError as error:
            raise UserActionError(trouble or f'{self.team.bot.name} failed with the error "{error}"') from error

    def find_channel(self, name: str) -> Channel:
        """Return a channel that the person is in, by its id or name.

        Raises:
            UserActionError: there is none.
        """
        channel = self.team.channel(name)
        if channel is None or self.user.id not in channel.members:
            raise UserActionError(f"There is no channel {name!r} that you are in.")
        return channel

    def find_writable_channel(self, name: str) -> Channel:
        """Return a channel that the person is in and that is not archived.

        Raises:
            UserActionError: there is none.
        """
        place = self.find_channel(name)
        if place.is_archived:
            raise UserActionError("This channel is archived.")
        return place

    def find_message(self, channel: Channel, ts: str) -> Message:
        """Return a message that the person sees.

        Raises:
            UserActionError: there is none.
        """
        message = self.team.message(channel.id, ts)
        if message is None or message.only_for not in (None, self.user.id):
            raise UserActionError("That message is gone.")
        return message

    def find_view(self, name: str) -> View:
        """Return an open view of the person.

        Raises:
            UserActionError: there is none.
        """
        view = self.team.view(name)
        if view is None or view.user != self.user.id:
            raise UserActionError("That window is closed.")
        return view

    def find_own_file(self, name: str) -> File:
        """Return a file that the person uploaded.

        Raises:
            UserActionError: there is none.
        """
        file = self.team.files.get(str(name))
        if file is None or file.user != self.user.id or file.deleted:
            raise UserActionError(f"There is no file {name!r} of yours.")
        return file

    def show_notice(self, channel: Channel, text: str) -> None:
        """Show a notice in the person's page."""
        self.services.page_updates.notice(self.user.id, channel.id, text)


def now() -> str:
    """Return the time as Slack writes it."""
    return f"{time.time():.6f}"


def described_channel(channel: Channel) -> Json:
    """Return a channel as payloads describe it."""
    name = "directmessage" if channel.is_im else "privategroup" if channel.is_private else channel.name
    name = channel.name if channel.is_mpim else name
    return {"id": channel.id, "name": name}
