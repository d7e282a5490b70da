"""Find the images of sources. `sources.py` begins, `folder_walk.py` and `storage_listing.py` list."""
