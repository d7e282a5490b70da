"""Measure the search quality of a version on labelled images."""
