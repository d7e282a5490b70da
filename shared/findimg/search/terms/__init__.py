"""The terms of a query: translated, corrected, joined to phrases, and expanded to the classes that they stand for."""
