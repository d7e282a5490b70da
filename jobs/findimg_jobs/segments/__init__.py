"""The files of one segment of a version, written from the embedding store.

`segment_builder.py` calls the others. Two things concern more than one segment: `version_images.py` has the images of
a whole version, and `library_measures.py` measures the whole library, as each segment is built with these measures.
"""
