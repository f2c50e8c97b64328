"""Known attacks, run against the real middleware and against other session libraries."""
