"""Check a library, delete from it, read facts that it lacks, and change which encoder is for what."""
