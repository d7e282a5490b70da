"""The commands of `findimg-jobs`, a module for each subject. `cli/root.py` gives them their names."""
