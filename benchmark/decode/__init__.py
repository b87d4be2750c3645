"""How fast the server puts windows together."""
