"""Search a version. `searcher.py` is the start.

It opens the version (`search_files.py`) and takes parsed queries. A query with words goes to `word_search.py`, with or
without an image beside them, and an image alone to `image_search.py`. With filters only, the searcher lists the images
by date. `image_tags.py` finds tags. A search by words takes these steps:

1. `query` parses what a person types, before the searcher is called.
2. `terms` translates, corrects and joins the terms. With an image–text encoder, words become one sentence.
3. `evidence` finds the relevance of every image for every term.
4. `filtered_images.py` finds the images that match the filters.
5. `ranking.py` combines the terms and reranks, with the formulas of `scoring.py`.
6. `answers` makes a page.

`sentences` has the vectors of texts by an image–text encoder, and `taught` brings the names that a team teaches into a
searcher. `similarity.py` compares the visual features of a version with a vector.
"""
