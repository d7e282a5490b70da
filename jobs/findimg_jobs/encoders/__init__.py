"""Which encoders a version has, and with which words, head and measures its features are built."""
