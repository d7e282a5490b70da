"""What runs share in a library: the embedding store, plans, the blocklist and the lock."""
