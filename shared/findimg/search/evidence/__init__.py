"""Sources of evidence for words: each one says how well every image shows a term."""
