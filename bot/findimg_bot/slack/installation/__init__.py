"""The workspaces that have the app, and how they get it."""
