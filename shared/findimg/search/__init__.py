"""Search a version. `searcher.py` is the start.

It hands a query with words to `word_search.py`, one with an image to `image_search.py`, and an image that needs tags to
`image_tags.py`. The folders have one step each: `query` parses, `terms` prepares the terms, `evidence` finds the
relevance of every image, and `answers` makes a page. `ranking.py` combines the relevance of several terms.
"""
