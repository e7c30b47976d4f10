"""polyant doctor: checks the settings, the machine, the data and the providers, and suggests fixes."""
