"""The bot: what a person types in Slack becomes a question, a search and a message.

`server.py` starts it, and `app.py` builds the Bolt app. A request passes `listeners/admission.py` to a listener, such
as one in `listeners/commands/`. The listener asks `service/query_service.py`, which searches in the library and sends a
message through `slack/`. `state/` keeps what outlives a restart. `cli.py` has the commands, `doctor/` checks a set-up,
`live_indexing/` indexes pictures of channels at once, and `local_slack/` is a small Slack for tests and `try`.
"""
