"""Whether a slide comes out the same whoever is killed while it is analysed."""
