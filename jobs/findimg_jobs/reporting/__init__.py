"""Progress, report, metrics and notifications of a run."""
