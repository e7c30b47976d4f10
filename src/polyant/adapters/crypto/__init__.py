"""AES-256-GCM and keyed fingerprints, through cryptography."""
