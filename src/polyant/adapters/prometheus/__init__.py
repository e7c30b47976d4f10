"""Turn metrics for Prometheus."""
