"""A Supervisor for Polyant on LangGraph."""
