"""What a person does in conversations: messages, commands, uploads and new channels."""

import re
from collections.abc import Sequence

from findimg_bot.local_slack.actions.member import Member, described_channel
from findimg_bot.local_slack.actions.services import UserActionError
from findimg_bot.local_slack.delivery.http import COMMANDS, DeliveryError
from findimg_bot.local_slack.model.emoji import with_emoji_names
from findimg_bot.local_slack.model.files import FILE_BYTES
from findimg_bot.local_slack.model.messages import NewMessage, entities
from findimg_bot.local_slack.model.state import Channel, File, Json

_CHANNEL_NAME = re.compile(r"[a-z0-9_-]{1,80}")


class ConversationActions(Member):
    """The actions of one person in conversations."""

    async def send(self, channel: str, text: str, thread_ts: str = "", files: Sequence[str] = ()) -> str:
        """Send a message, or run a command and wait for its acknowledgement.

        Args:
            channel: id or name.
            files: ids of files that this person uploaded.

        Returns:
            The message's ts; empty for a command.

        Raises:
            UserActionError: the message cannot be sent, or the bot did not acknowledge the command.
        """
        place = self.find_writable_channel(channel)
        if text.startswith("/"):
            await self._command(place, text, thread_ts)
            return ""
        if not text.strip() and not files:
            raise UserActionError("There is nothing to send.")
        if thread_ts and self.team.message(place.id, thread_ts) is None:
            raise UserActionError("The message that this answers is gone.")
        shared = [self.find_own_file(name) for name in files]
        message = self.services.messages.say(
            self.team, place, self.user, NewMessage(text, thread=thread_ts, files=shared)
        )
        if f"<@{self.team.bot.id}>" in text and self.team.bot.id not in place.members:
            self.show_notice(place, f"@{self.team.bot.name} isn't in this channel.")
        return message.ts

    def edit(self, channel: str, ts: str, text: str) -> None:
        """Replace the text of one of this person's messages.

        Raises:
            UserActionError: there is no such message of theirs.
        """
        message = self.find_message(self.find_channel(channel), ts)
        if message.content.get("user") != self.user.id:
            raise UserActionError("Only your own messages can be edited.")
        self.services.messages.edit(self.team, message, text)

    def forward(self, channel: str, ts: str, to: str, text: str = "") -> str:
        """Forward a message to another channel and return the new message's ts.

        Raises:
            UserActionError: the message or the channel does not exist.
        """
        message = self.find_message(self.find_channel(channel), ts)
        place = self.find_writable_channel(to)
        attachment = self.services.messages.forwarded(self.team, message)
        new = NewMessage(text, attachments=[attachment])
        said = self.services.messages.say(self.team, place, self.user, new)
        return said.ts

    def upload(self, name: str, data: bytes) -> File:
        """Upload a file without sharing it.

        Raises:
            UserActionError: the file is empty or too large.
        """
        if not data:
            raise UserActionError(f"{name or 'The file'} is empty.")
        if len(data) > FILE_BYTES:
            raise UserActionError(f"{name} has {len(data):,} bytes. The limit is {FILE_BYTES:,}.")
        return self.services.files.add(self.team, self.user.id, name, data)

    def new_channel(self, name: str) -> Channel:
        """Create a channel of all people and the bot.

        Raises:
            UserActionError: the name is not valid or already used.
        """
        if not _CHANNEL_NAME.fullmatch(name) or self.team.channel(name):
            raise UserActionError(
                f"A channel cannot be called {name!r}. Use letters, digits and dashes that are not taken."
            )
        channel = self.team.add_channel(name)
        self.services.page_updates.channel(self.team, channel)
        return channel

    async def _command(self, place: Channel, text: str, thread: str) -> None:
        name, _, rest = text.partition(" ")
        commands = self.services.manifest.get("features", {}).get("slash_commands", ())
        command = next((each for each in commands if each["command"] == name), None)
        # Slack offers an app's commands only to people of the workspace that installed it.
        if not self.team.installed or command is None or self.user.home_team:
            raise UserActionError(f"{name} is not a valid command.")
        if thread:
            raise UserActionError(f"{name} is not supported in threads. Sorry!")
        payload = {
            "token": "deprecated",
            "team_id": self.team.id,
            "team_domain": self.team.name,
            "channel_id": place.id,
            "channel_name": described_channel(place)["name"],
            "user_id": self.user.id,
            "user_name": self.user.name,
            "command": name,
            "text": self._command_text(command, rest.strip()),
            "api_app_id": self.services.app_id,
            "is_enterprise_install": str(self.team.installation.org_wide).lower(),
            "response_url": self.services.response_urls.new("commands", self.team, place, self.user.id),
            "trigger_id": self.services.views.new_trigger(self.team, self.user.id),
        }
        if organisation := self.team.organisation:
            payload |= {"enterprise_id": organisation.id, "enterprise_name": organisation.name}
        try:
            answer = await self.services.delivery.send(COMMANDS, payload, self.services.timing.acknowledge)
        except DeliveryError as error:
            said = f'{name} failed with the error "{error}"'
            self.show_notice(place, said)
            raise UserActionError(said) from error
        if answer and (wrong := self.services.response_urls.acknowledged(self.team, place, self.user.id, answer)):
            said = f'{name} failed with the error "{wrong}"'
            self.show_notice(place, said)
            raise UserActionError(said)

    def _command_text(self, command: Json, text: str) -> str:
        """Return a command's text as Slack sends it: names of people and channels become ids with `should_escape`."""
        text = entities(with_emoji_names(text))
        if not command.get("should_escape"):
            return text
        people = {f"@{user.name}": f"<@{user.id}|{user.name}>" for user in self.team.users.values()}
        channels = {
            f"#{each.name}": f"<#{each.id}|{each.name}>" for each in self.team.channels.values() if not each.is_im
        }
        ids = people | channels
        return re.sub(r"(?<!\S)[@#][\w-]+", lambda name: ids.get(name[0], name[0]), text)
