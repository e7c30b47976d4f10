"""Determines the type of recordings from their content."""

_MP3_SYNC = 0xFF
_MP3_MASK = 0xE0
_TYPES = {
    b"OggS": "audio/ogg",
    b"fLaC": "audio/flac",
    b"ID3": "audio/mpeg",
    b"\x1a\x45\xdf\xa3": "audio/webm",
    b"#!AMR": "audio/amr",
}
AUDIO_NAMES = {
    "audio/ogg": "recording.ogg",
    "audio/flac": "recording.flac",
    "audio/mpeg": "recording.mp3",
    "audio/webm": "recording.webm",
    "audio/amr": "recording.amr",
    "audio/wav": "recording.wav",
    "audio/mp4": "recording.m4a",
}
"""The file name for each type, by which services recognise it."""


def audio_type_of(data: bytes) -> str | None:
    """Returns the type of a recording; None for anything else."""
    for signature, media_type in _TYPES.items():
        if data.startswith(signature):
            return media_type
    if data[:4] == b"RIFF" and data[8:12] == b"WAVE":
        return "audio/wav"
    if data[4:8] == b"ftyp":
        return "audio/mp4"
    if len(data) > 1 and data[0] == _MP3_SYNC and data[1] & _MP3_MASK == _MP3_MASK:
        return "audio/mpeg"
    return None
