"""``prime-uve``: the registry in the hands of a person."""
