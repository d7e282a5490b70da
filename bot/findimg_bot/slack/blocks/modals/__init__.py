"""Modals: what each shows, and what a person entered in it."""
