"""The vector indexes, one module for each type. `base.py` is their interface, and says how to add one."""
