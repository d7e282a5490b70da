"""What the jobs and the bot have in common: images, words, heads, the library and the search."""
