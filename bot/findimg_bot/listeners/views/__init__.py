"""Modals."""

from slack_bolt.async_app import AsyncApp

from findimg_bot.listeners.views.image import image


def register(app: AsyncApp) -> None:
    """Register the modals with the app."""
    app.view("image")(image)
