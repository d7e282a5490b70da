"""A library and its versions: where its files are, what its manifest and its catalog hold, and how it is opened."""
