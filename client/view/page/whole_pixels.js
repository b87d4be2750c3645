/** Makes tiles begin and end on whole pixels of the screen, all layers' alike.

OpenSeadragon stretches tiles without overlap by a pixel, so that no gap shows between them: what is drawn then lies up
to a pixel off. Between whole pixels there is no gap to hide.
*/
export function useWholePixels() {
  const { TiledImage, CanvasDrawer } = OpenSeadragon;
  CanvasDrawer.prototype.minimumOverlapRequired = () => false;
  const position = TiledImage.prototype._positionTile;
  TiledImage.prototype._positionTile = function (tile, ...more) {
    position.call(this, tile, ...more);
    for (const axis of ["x", "y"]) {
      const end = whole(tile.position[axis] + tile.size[axis]);
      tile.position[axis] = whole(tile.position[axis]);
      tile.size[axis] = end - tile.position[axis];
    }
  };
}

/** Page px that are whole ones of the screen. */
function whole(px) {
  return Math.round(px * OpenSeadragon.pixelDensityRatio) / OpenSeadragon.pixelDensityRatio;
}
