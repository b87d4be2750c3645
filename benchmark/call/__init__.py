"""Many slides in one call against one call a slide."""
