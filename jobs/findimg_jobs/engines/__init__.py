"""Run work on Ray, or in this process."""
