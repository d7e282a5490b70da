"""Search by sentence, with the text tower of an image–text encoder."""
