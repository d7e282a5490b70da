"""How findimg is deployed; as a package it carries the Slack app's manifest."""
