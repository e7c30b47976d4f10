"""The adapter that reads PDF documents with pypdf."""
