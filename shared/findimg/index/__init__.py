"""What a version's files are searched with: vectors, posting lists and text, each over one segment or over several.

`vector_types` has the vector indexes, `duplicates` the groups of equal and similar images.
"""
