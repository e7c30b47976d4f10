"""An in-memory cache in front of another InstanceRepo."""
