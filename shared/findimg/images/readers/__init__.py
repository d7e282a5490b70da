"""Readers of single formats: what Pillow refuses or decodes wrongly, and repairs of nearly sound files."""
