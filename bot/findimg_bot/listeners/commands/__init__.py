"""Slash commands.

A new command is a module here with `async def name(args: AsyncArgs)`, and its line in `register`. It calls
`acknowledge_or_help` before it answers, and answers within `services.handling_request`; `words.py` is short. It also
needs:

- its entry under `slash_commands` in `slack/manifest.json`, which declares it to Slack
- its text in `HELP` of `slack/blocks/guidance.py`, which `help_message` and the Home tab show
- a method of `service/query_service.py`, and a message in `slack/blocks/`, for a new kind of answer
- its row in the table of README.md
- only if `findimg-bot ask` takes it, too: its name in `TERMINAL_COMMANDS` of `questions.py`, its results in
  `question_results.py` (`Results`, `find_results`), its branches and help in `ask` of `cli.py`, and how its results are
  printed in `terminal.py`

A command that shows images needs no new kind of question. It calls `QueryService.search` with a query in the language
of `/findimg`, such as `Question("/findimg", "cat sort:date")`. The other pages and the buttons then work.
`tests/bot/slack/test_manifest.py` compares the commands with the manifest and `HELP`.
"""

from slack_bolt.async_app import AsyncApp

from findimg_bot.listeners.commands.findimg import findimg
from findimg_bot.listeners.commands.similar import similar
from findimg_bot.listeners.commands.tag import tag
from findimg_bot.listeners.commands.teach import teach
from findimg_bot.listeners.commands.words import words


def register(app: AsyncApp) -> None:
    """Register the commands with the app."""
    app.command("/findimg")(findimg)
    app.command("/similar")(similar)
    app.command("/tag")(tag)
    app.command("/teach")(teach)
    app.command("/words")(words)
