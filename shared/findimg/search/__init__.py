"""Search a version. `searcher.py` is the start.

It opens the version (`search_files.py`), and hands a query with words to `word_search.py`, one with an image to
`image_search.py`, and an image that needs tags to `image_tags.py`. A search by words takes these steps:

1. `query` parses what a person types.
2. `filtered_images.py` finds the images that match the filters.
3. `terms` translates, corrects and joins the terms. With an image–text encoder, words become one sentence.
4. `evidence` finds the relevance of every image for every term.
5. `ranking.py` combines the terms and reranks, with the formulas of `scoring.py`.
6. `answers` makes a page.

`sentences` has the vectors of texts by an image–text encoder, and `taught` brings the names that a team teaches into a
searcher. `similarity.py` compares the visual features of a version with a vector.
"""
