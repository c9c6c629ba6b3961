"""A package that is small, and builds without an index."""


def main() -> None:
    print("hello")
