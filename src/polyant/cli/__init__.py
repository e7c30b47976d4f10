"""The command line: each command decodes its arguments, calls one use case and prints the result."""
