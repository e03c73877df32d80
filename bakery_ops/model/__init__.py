"""What the platform is, as values. Nothing here reads a file, a clock or a socket, and nothing here judges."""
