"""Find the images of sources."""
