"""What a slide of any size costs its client: memory and seconds a tile, to a million tiles."""
