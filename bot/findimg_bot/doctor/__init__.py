"""Checks everything that the bot needs, and explains how to fix each problem."""
