"""How the bot speaks with Slack: messages and their blocks, replies, files, installations, limits, the app's manifest.

This package searches nothing. `findimg_bot.service` finds the answers, and sends them by this package.
"""
