"""The files of one segment of a version, written from the embedding store."""
