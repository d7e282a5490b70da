"""Read the text in images, and the captions beside them."""
