"""The outside world, one package a technology; none of them knows another."""
