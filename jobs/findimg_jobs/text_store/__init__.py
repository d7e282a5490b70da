"""The text store of a library: what was read in images, by content."""
