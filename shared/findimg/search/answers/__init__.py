"""Answers: hits, folded copies, pages and remarks."""
