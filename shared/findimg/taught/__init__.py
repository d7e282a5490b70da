"""Names that a team taught with example images: events in the library, and the state that they add up to."""
