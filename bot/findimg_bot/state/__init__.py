"""What the bot stores in SQLite or PostgreSQL, so that any bot can answer a later click: `store.py` is the entry.

Stored are questions, thumbnail ids, requests, changed pictures and installations.
"""
