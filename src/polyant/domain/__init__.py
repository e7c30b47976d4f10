"""What an assistant is, who may talk to it and how a turn runs; standard library and msgspec only."""
