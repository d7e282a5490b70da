"""The files of one segment of a version, written from the embedding store.

`segment_builder.py` builds a segment. Three modules concern more than one segment: `version_images.py` has the images
of a whole version, `visual_embeddings.py` their embeddings, and `library_measures.py` measures the whole library, as
each segment is built with these measures. `segment_files.py` says where the files of a segment are.
"""
