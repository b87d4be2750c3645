"""How a slide becomes a result: slide → tissue, grid, encoded tiles ⇢ server ⇢ rows → result files."""
