"""Weights and word vectors: where they come from, how they are checked, downloaded and kept in the cache."""
