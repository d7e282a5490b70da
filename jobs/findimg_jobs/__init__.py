"""The jobs: sources become plans, shards, embeddings and a published version of a library.

The docstring of `indexing` lists the steps of a run in order. `cli/root.py` lists the commands.
"""
