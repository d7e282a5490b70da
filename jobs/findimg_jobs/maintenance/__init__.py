"""Check a library, delete from it, and change which encoder is for what."""
