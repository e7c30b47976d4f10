"""HTTP, through Litestar: decodes requests, calls one use case each, encodes what comes back."""
