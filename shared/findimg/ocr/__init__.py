"""Read the text in pictures, with the extra `ocr`."""
