"""A local Slack workspace to try and to test the bot without an account."""
