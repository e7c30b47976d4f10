"""Operations of chat channels: receive events, answer them, and send the answers."""
