"""The bot: what a person types becomes a query, a search and an answer."""
