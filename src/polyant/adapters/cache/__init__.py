"""An InstanceRepo in front of another that answers from memory what did not change."""
