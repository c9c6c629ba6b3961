"""Git hooks: the text of ours, where they are installed, and who runs them."""
