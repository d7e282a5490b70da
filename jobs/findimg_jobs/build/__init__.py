"""Build a version of segments, and publish it."""
