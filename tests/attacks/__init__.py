"""Every attack that we know by name, run against the real middleware and against its peers."""
