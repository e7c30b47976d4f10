"""The management API under /api: each module has the controller and the wire structs of one resource."""
