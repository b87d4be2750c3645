"""What lies on the slide: tiles of each layer, and what is found at a place."""
