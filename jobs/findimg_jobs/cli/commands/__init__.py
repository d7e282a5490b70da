"""The commands of `findimg-jobs`, a module for each subject. `cli/root.py` gives them their names.

To add a command, write a function in a module here, with `takes_settings` if it has settings, and add its name to
`_COMMANDS` in `cli/root.py`. Its docstring is its help, and the first line also describes it in the list of commands.
For a group of sub-commands write a Typer app, as in `encoders.py`, and add it with `add_typer`. Commands that are not
in a module of their own name:

| command | module |
|---|---|
| `add` | `index.py` |
| `merge`, `compact` | `rebuild.py` |
| `prune`, `forget` | `cleanup.py` |
| `verify`, `versions`, `rollback` | `versions.py` |
| `read-text`, `read-captions` | `text_and_captions.py` |
| `train`, `evaluate`, `quantize` | `training.py` |
"""
