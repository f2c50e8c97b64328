"""What a session costs: sessionware beside its peers and beside the primitives alone."""
