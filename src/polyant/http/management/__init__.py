"""The management API under /api: one controller a resource, its structs beside it."""
