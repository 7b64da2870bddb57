"""What can befall a file."""


def flipped(content, place):
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


DAMAGES = {
    "removed": lambda content: None,
    "truncated": lambda content: content[: len(content) // 2],
    "first byte": lambda content: flipped(content, 0),
    "middle byte": lambda content: flipped(content, len(content) // 2),
    "last byte": lambda content: flipped(content, len(content) - 1),
}


def damage(path, kind):
    """Damages a file; an empty one, which has no byte to flip, is removed."""
    content = DAMAGES[kind](path.read_bytes()) if path.stat().st_size else None
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
