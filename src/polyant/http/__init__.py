"""The HTTP layer, built on Litestar: each route decodes a request, calls one use case and encodes the result."""
