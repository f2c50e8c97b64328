"""Coverage-guided fuzzing: ``python -m tests.fuzz scanner --seconds 600`` (extra ``fuzz``)."""
