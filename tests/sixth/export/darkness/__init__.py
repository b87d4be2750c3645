"""How dark a slide's tissue is."""
