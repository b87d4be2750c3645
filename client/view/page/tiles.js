/** Where OpenSeadragon finds tiles, and which part of the slide each of them shows.

Level z of an address shows 2^z level-0 px per pixel; OpenSeadragon counts levels from the coarsest one.
*/
function source(description, url, transparent) {
  const { width, height, deepest, tile } = description;
  return {
    width,
    height,
    tileSize: tile,
    tileOverlap: 0,
    minLevel: 0,
    maxLevel: deepest,
    getTileUrl: (level, x, y) => url(deepest - level, x, y),
    hasTransparency: () => transparent,
    // A border tile is rounded up to whole pixels: its last ones lie beyond the slide, and must not be squeezed into it.
    getTileBounds(level, x, y, isSource) {
      const l0 = 2 ** (deepest - level);
      const wide = Math.min(tile, Math.ceil(width / l0) - x * tile);
      const high = Math.min(tile, Math.ceil(height / l0) - y * tile);
      if (isSource) return new OpenSeadragon.Rect(0, 0, wide, high);
      return new OpenSeadragon.Rect((x * tile * l0) / width, (y * tile * l0) / width, (wide * l0) / width, (high * l0) / width);
    },
  };
}

/** The slide's own pixels; `base` is the address of the slide's page. An overview in their place may hold numbers. */
export function slideTiles(description, base, plain) {
  const asked = plain ? "?for=patient" : "";
  return source(description, (z, x, y) => `${base}slide/${z}/${x}_${y}.jpg${asked}`, false);
}

/** A layer's pixels as it is set at the moment: classes that are shown, and the value from which on. */
export function layerTiles(description, base, layer, plain) {
  const asked = query(layer, plain);
  return source(description, (z, x, y) => `${base}layer/${layer.address}/${z}/${x}_${y}.png${asked}`, true);
}

/** What is asked of the server beyond the place; a heat map of no classes, which it has not, comes without numbers. */
function query(layer, plain) {
  const asked = new URLSearchParams();
  const classes = layer.layer.classes?.length ?? 0;
  const bare = plain && layer.layer.kind === "grid";
  if (bare || layer.of.size < classes) asked.set("of", [...layer.of].sort((a, b) => a - b).join(","));
  if (layer.from !== null) asked.set("from", String(layer.from));
  const text = asked.toString();
  return text && `?${text}`;
}
