"""Programs to start from: quickstart, log-in, Redis sessions, and five web frameworks."""
