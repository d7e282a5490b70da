"""Made-up examples for tests of taught names."""

import hashlib

import numpy as np

from findimg.taught.events import Event, Example, new_action, new_cancel, new_example, parse_event

DIM = 8


def made_up_example(number: int, dim: int = DIM) -> Example:
    """Return an example that depends only on its number."""
    vector = np.random.default_rng(number).random(dim).astype(np.float16)
    return Example(hashlib.sha256(str(number).encode()).hexdigest(), vector, "made-up", f"/photos/{number}.jpg")


def taught_event(name: str, number: int, shows: bool = True, by: str = "T1/U1", action: str = "") -> Event:
    """Return the event that teaches one made-up example."""
    new = new_example(by, action or new_action(), name, shows, made_up_example(number))
    return parse_event(new.key, new.data)


def cancel_event(*events: Event, by: str = "T1/U2") -> Event:
    """Return the event that takes events back."""
    new = new_cancel(by, new_action(), [event.id for event in events])
    return parse_event(new.key, new.data)
