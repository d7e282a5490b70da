"""Taught names in searches: which words of a query mean one, and how an image becomes an example."""
