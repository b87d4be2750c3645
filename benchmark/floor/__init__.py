"""What the floor spares peakmap on the wire."""
