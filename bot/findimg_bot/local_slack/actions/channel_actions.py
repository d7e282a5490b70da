"""A person's actions on channels, members, messages and files. The page has no buttons for them."""

from typing import Any

from findimg_bot.local_slack.actions.services import UserActionError, WorkspaceServices
from findimg_bot.local_slack.model.state import Channel, File, Team, User


class ChannelActions:
    """What one person does with channels. The bot gets the events that it subscribed to."""

    def __init__(self, services: WorkspaceServices, team: Team, user: User):
        self._services = services
        self._team = team
        self._user = user

    def delete_file(self, file: File) -> None:
        """Delete a file. Messages keep a tombstone of it."""
        was_seen = self._team.bot_sees(file)
        file.deleted = True
        if was_seen:
            self._services.events.send_change(self._team, "file_deleted", {"file_id": file.id})

    def delete_message(self, channel: Channel, ts: str) -> None:
        """Delete a message. Its files stay, and are no longer shared by it.

        Raises:
            UserActionError: there is no such message.
        """
        message = self._team.message(channel.id, ts)
        if message is None:
            raise UserActionError("That message is gone.")
        self._services.messages.delete(self._team, message)

    def archive(self, channel: Channel) -> None:
        """Archive a channel."""
        self._send_channel_event(channel, "archive", user=self._user.id)
        channel.is_archived = True

    def unarchive(self, channel: Channel) -> None:
        """Make an archived channel usable again."""
        channel.is_archived = False
        self._send_channel_event(channel, "unarchive", user=self._user.id)

    def leave(self, channel: Channel) -> None:
        """Leave a channel."""
        channel.members.discard(self._user.id)
        self._send_member_event(channel, "member_left_channel", self._user)

    def join(self, channel: Channel) -> None:
        """Join a channel."""
        channel.members.add(self._user.id)
        self._send_member_event(channel, "member_joined_channel", self._user)

    def remove_bot(self, channel: Channel) -> None:
        """Remove the bot from a channel."""
        self._send_channel_event(channel, "left", actor_id=self._user.id)
        channel.members.discard(self._team.bot.id)

    def invite_bot(self, channel: Channel) -> None:
        """Add the bot to a channel."""
        channel.members.add(self._team.bot.id)
        self._send_member_event(channel, "member_joined_channel", self._team.bot, inviter=self._user.id)

    def _send_channel_event(self, channel: Channel, change: str, **fields: Any) -> None:
        if self._team.bot.id in channel.members:
            kind = "group" if channel.is_private else "channel"
            self._services.events.send_change(self._team, f"{kind}_{change}", {"channel": channel.id, **fields})

    def _send_member_event(self, channel: Channel, kind: str, user: User, **fields: Any) -> None:
        if self._team.bot.id in channel.members:
            letter = "G" if channel.is_private else "C"
            place = {"channel": channel.id, "channel_type": letter, "team": self._team.id}
            self._services.events.send_change(self._team, kind, {"user": user.id, **place, **fields})
