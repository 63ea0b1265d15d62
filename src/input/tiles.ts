/** The tiles of several pictures, one picture after the other: each [tiles, 3, S, S] -> [all tiles, 3, S, S]. */
export function joinTiles(pictures: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(pictures.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const tiles of pictures) {
    all.set(tiles, at);
    at += tiles.length;
  }
  return all;
}
