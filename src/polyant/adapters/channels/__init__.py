"""Chat platforms: one package each, and the HTTP client that they share."""
