"""What runs share in a library: the embedding store, the text store, plans, the blocklist and the lock."""
