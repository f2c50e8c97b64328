"""Programs to start from: quickstart, login, and one for each of five frameworks."""
