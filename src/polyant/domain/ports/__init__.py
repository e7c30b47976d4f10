"""The questions that the domain asks the outside world, one port a file."""
