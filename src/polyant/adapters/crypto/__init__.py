"""AES-256-GCM, keyed fingerprints and Argon2id, through cryptography."""
