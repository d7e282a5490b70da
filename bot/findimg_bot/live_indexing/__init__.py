"""Follows pictures in Slack channels: what is shared is found within seconds, and what is deleted is gone."""
