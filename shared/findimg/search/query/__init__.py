"""The query language: the text that a person types, as data."""

from findimg.search.query.query import ARTICLES, LONGEST, MOST_TERMS, Query, Term, filters_beside_image, parse

__all__ = ["ARTICLES", "LONGEST", "MOST_TERMS", "Query", "Term", "filters_beside_image", "parse"]
