"""Model providers, each spoken to in its own protocol over aiohttp and msgspec."""
