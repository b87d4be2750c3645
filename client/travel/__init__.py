"""How tiles travel: as JPEGs that the slide holds, or as pixels; in which requests, and while it is scanned."""
