"""How fast the client hands a slide to the wire."""
