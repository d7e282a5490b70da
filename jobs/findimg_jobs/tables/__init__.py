"""Tables of images in files of this machine, and the records in them."""
