"""The admin panel: HTML pages for people, on the same use cases as the management API."""
