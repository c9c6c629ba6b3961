"""prime-uve: uv environments outside the project, registered and checked."""
