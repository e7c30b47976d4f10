"""A CRM tool for Polyant."""
