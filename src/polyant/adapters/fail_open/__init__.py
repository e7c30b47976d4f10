"""A RateLimiter in front of another that lets calls through when that one fails."""
