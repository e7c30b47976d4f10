"""Slack: the Events API, Socket Mode and the Web API, through aiohttp and msgspec."""
