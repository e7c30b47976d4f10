"""Metrics of turns for Prometheus."""
