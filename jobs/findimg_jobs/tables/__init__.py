"""Tables of images in files of this machine, the records in them, and the temporary folders of a process."""
