"""What the bot does, whatever Slack sent: answers questions, teaches names, follows the library, recovers requests.

Listeners call this package. It uses `findimg_bot.slack` to send what it found.
"""
