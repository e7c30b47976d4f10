"""What a caller or an operator can ask of Polyant, one verb a file."""
