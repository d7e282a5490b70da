"""Taught names in searches: keep a searcher up to date with them, and make examples from images."""
