"""Model providers, each called through its own protocol with aiohttp and msgspec."""
