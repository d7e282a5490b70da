"""The jobs: sources become plans, shards, embeddings and a published version of a library."""
