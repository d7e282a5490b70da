"""Block Kit messages, modals and the Home tab, one subject a module."""
