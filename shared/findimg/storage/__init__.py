"""Storages, which hold sources and libraries: `base.py` is their interface, and each other module is one of them."""
