"""The Web API's file methods."""

from collections.abc import Callable, Mapping
from typing import Any

from findimg_bot.local_slack.model.files import FILE_BYTES, Files, describe
from findimg_bot.local_slack.model.messages import Messages, NewMessage
from findimg_bot.local_slack.model.state import File, Json, Team
from findimg_bot.local_slack.web_api.api import Api, ApiError, Call
from findimg_bot.local_slack.web_api.chat import check_blocks, writable_channel


class Uploads:
    """Receives the bot's files, and describes those that it can access."""

    def __init__(
        self,
        files: Files,
        messages: Messages,
        showable: Callable[[Team, Mapping[str, Any]], bool],
        address: str,
    ):
        self._files = files
        self._messages = messages
        self._showable = showable
        self._address = address

    def register(self, api: Api) -> None:
        """Register the methods."""
        api.methods |= {
            "files.getUploadURLExternal": (self.begin, "files:write"),
            "files.completeUploadExternal": (self.complete, "files:write"),
            "files.info": (self.info, "files:read"),
            "files.list": (self.list, "files:read"),
            "files.delete": (self.delete, "files:write"),
        }

    def begin(self, call: Call) -> Json:
        """`files.getUploadURLExternal`."""
        name = call.arguments.text("filename", "")
        length = call.arguments.values.get("length")
        if not name or not length or not str(length).isdigit() or int(length) == 0:
            raise ApiError("missing_argument")
        if int(length) > FILE_BYTES:
            raise ApiError("file_upload_size_restricted")
        if len(call.arguments.text("alt_txt", "")) > 1000:
            raise ApiError("alt_txt_too_large")
        ticket, file = self._files.new_ticket(call.team, name)
        return {"upload_url": f"{self._address}/upload/v1/{ticket}", "file_id": file.id}

    def complete(self, call: Call) -> Json:
        """`files.completeUploadExternal`. With a channel, it shares the files there."""
        given = call.arguments.json("files", "invalid_arguments")
        if not isinstance(given, list) or not given or not all(isinstance(each, dict) for each in given):
            raise ApiError("invalid_arguments")
        files = []
        for each in given:
            file = call.team.files.get(str(each.get("id")))
            if file is None or file.data is None or file.complete or file.user != call.team.bot.id:
                raise ApiError("file_not_found")
            file.title = str(each.get("title") or file.title)
            files.append(file)
        places = []
        channels = call.arguments.text("channel_id", "") or call.arguments.text("channels", "")
        for name in filter(None, channels.split(",")):
            try:
                places.append(writable_channel(call.team, name))
            except ApiError as error:
                raise ApiError("invalid_channel") from error
        comment = call.arguments.text("initial_comment", "")
        # Slack leaves blocks out when there is a comment.
        blocks = None if comment else call.arguments.json("blocks", "invalid_blocks_format")
        if blocks:
            check_blocks(blocks, lambda slack_file: self._showable(call.team, slack_file))
        for file in files:
            self._files.finish(call.team, file)
        thread = call.arguments.text("thread_ts", "")
        for place in places:
            self._messages.post(call.team, place, NewMessage(comment, blocks or (), thread, files))
        return {"files": [describe(call.team, file, self._address) for file in files]}

    def info(self, call: Call) -> Json:
        """`files.info`."""
        file = self._visible(call)
        return {
            "file": describe(call.team, file, self._address),
            "comments": [],
            "response_metadata": {"next_cursor": ""},
        }

    def list(self, call: Call) -> Json:
        """`files.list`: newest first."""
        types = call.arguments.text("types", "all").split(",")
        if set(types) - {"all", "images"}:
            raise ApiError("unknown_type")
        # The token of an organisation lists files of the team that the call names.
        if call.team.installation.org_wide and not call.arguments.text("team_id", ""):
            raise ApiError("missing_argument", needed="team_id")
        channel, user = call.arguments.text("channel", ""), call.arguments.text("user", "")
        try:
            since = float(call.arguments.text("ts_from", "0"))
            until = float(call.arguments.text("ts_to", "inf"))
        except ValueError as error:
            raise ApiError("invalid_arguments") from error
        found = [
            file
            for file in reversed(call.team.files.values())
            if file.complete
            and not file.deleted
            and call.team.bot_sees(file)
            and since <= file.created <= until
            and user in ("", file.user)
            and (not channel or file.shares.get(channel))
            and ("all" in types or file.mimetype.startswith("image/"))
        ]
        count, page = call.arguments.number("count", 100, 1000), call.arguments.number("page", 1, 100)
        shown = found[(page - 1) * count : page * count]
        return {
            "files": [describe(call.team, file, self._address) for file in shown],
            "paging": {"count": count, "total": len(found), "page": page, "pages": -(-len(found) // count)},
        }

    def delete(self, call: Call) -> Json:
        """`files.delete`."""
        file = self._visible(call)
        if file.user != call.team.bot.id:
            raise ApiError("cant_delete_file")
        file.deleted = True
        return {}

    def _visible(self, call: Call) -> File:
        file = call.team.files.get(call.arguments.text("file", ""))
        if file is None or not call.team.bot_sees(file):
            raise ApiError("file_not_found")
        if file.deleted:
            raise ApiError("file_deleted")
        return file
