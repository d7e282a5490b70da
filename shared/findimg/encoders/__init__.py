"""The encoders, one module each, with weights, preprocessing and registration. `registry.py` says how to add one.

`base.py` states what an encoder does. `efficientnet_lite.py` is shared by its variants. `runtimes` runs models.
"""
