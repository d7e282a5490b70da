"""How a version is built: its encoder, word vectors, head and index sizes, and the hash of all that (`hash_recipe`)."""
