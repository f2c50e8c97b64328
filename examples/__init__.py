"""Programs to start from: quickstart, log-in, sessions in a store, and six web frameworks."""
