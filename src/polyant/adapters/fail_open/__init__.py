"""A RateLimiter that wraps another one and allows calls when it fails."""
