"""Bolt listeners, one subject a file. The `__init__.py` of each folder registers its own kind.

The listener of a command, a button, a shortcut or a modal takes Bolt's `AsyncArgs`, because it needs much of it: `ack`,
`respond`, the client and the context. `args.payload` is the part of the request that is about it.

The listener of an event or a function takes by name only what it uses, such as `event`, `context` and `client`. Bolt
acknowledges events, and they have no `respond`. Listeners of events share functions with this signature.

`admission.py` decides before which requests reach a listener.
"""

from slack_bolt.async_app import AsyncApp

from findimg_bot.listeners import actions, commands, events, functions, shortcuts, views


def register_listeners(app: AsyncApp) -> None:
    """Register every listener with the app."""
    for kind in (commands, shortcuts, actions, events, functions, views):
        kind.register(app)
