"""WhatsApp: webhooks and calls of Meta's Cloud API, through aiohttp and msgspec."""
