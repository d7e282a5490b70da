"""The commands of `findimg-jobs`, a module for each subject. `cli/root.py` gives them their names.

To add a command, write a function with `takes_settings` in a module here, and add its name to `_COMMANDS` in
`cli/root.py`. The first line of its docstring is its help. Commands that are not in a module of their own name:

| command | module |
|---|---|
| `add` | `index.py` |
| `merge`, `compact` | `rebuild.py` |
| `prune`, `forget` | `cleanup.py` |
| `verify`, `versions`, `rollback` | `versions.py` |
| `read-text`, `read-captions` | `text_and_captions.py` |
| `train`, `evaluate`, `quantize` | `training.py` |
"""
