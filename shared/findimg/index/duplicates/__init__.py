"""Groups of copies and near-duplicates: `groups.py` makes them, the other modules find candidates among many images."""
