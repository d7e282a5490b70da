"""Read the text that is in pictures, and the captions in files beside images.

`findimg.images` decodes image files, and `indexing/embed_worker.py` reads them from their sources.
"""
