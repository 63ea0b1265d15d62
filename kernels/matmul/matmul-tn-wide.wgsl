// y[yRow + n, k] = sum_m x[m, xOffset + n] · z[m, k]  (+ y[yRow + n, k] if `accumulate`)
//
// For discrete GPUs; columns, width, strides and offset are multiples of 4. A workgroup owns a 128 x 64 tile of y; an
// invocation owns 8 x 8 elements of it: two quads of rows 64 rows apart, and two quads of columns 32 columns apart. For
// every 16 of m:
//   1. the invocations copy the tile's columns of x and of z into workgroup memory as they lie, 4 elements at a time,
//      so that neighbours read neighbouring addresses; zero beyond the last row;
//   2. for every m an invocation takes 2 quads of x and 2 of z and adds their 64 products: 16 reads of workgroup memory
//      for 256 multiply-adds.
// Sums are f32, in the order of m.

struct Params {
  rows: u32,
  columns: u32,
  width: u32,
  xStride: u32,
  xOffset: u32,
  zStride: u32,
  yStride: u32,
  yRow: u32,
  accumulate: u32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> z: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(3) var<uniform> params: Params;

const xQuads = 32u; // of x's columns, the rows of y
const zQuads = 16u; // of z's columns
const depth = 16u; // of m at a time

var<workgroup> xTile: array<vec4f, 16 * 32>; // [m][quad]
var<workgroup> zTile: array<vec4f, 16 * 16>; // [m][quad]

@compute @workgroup_size(128)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let quadsDown = params.columns / 4u;
  let quadsAcross = params.width / 4u;
  let down = (quadsDown + xQuads - 1u) / xQuads;
  let across = (quadsAcross + zQuads - 1u) / zQuads;
  let tile = folded(group, groups);
  if (tile >= across * down) {
    return;
  }
  let firstX = tile % down * xQuads;
  let firstZ = tile / down * zQuads;
  let ownX = lane / 8u;
  let ownZ = lane % 8u;
  let xQuad = params.xOffset / 4u + min(firstX + lane % xQuads, quadsDown - 1u);
  let zQuad = min(firstZ + lane % zQuads, quadsAcross - 1u);
  let last = params.rows - 1u;

  var sums: array<array<vec4f, 2>, 8>; // rows 0 to 3 of the first quad, then of the second
  for (var start = 0u; start < params.rows; start += depth) {
    for (var step = lane / xQuads; step < depth; step += 4u) {
      let xs = x[min(start + step, last) * (params.xStride / 4u) + xQuad];
      xTile[step * xQuads + lane % xQuads] = select(vec4f(), xs, start + step <= last);
    }
    for (var step = lane / zQuads; step < depth; step += 8u) {
      let zs = z[min(start + step, last) * (params.zStride / 4u) + zQuad];
      zTile[step * zQuads + lane % zQuads] = select(vec4f(), zs, start + step <= last);
    }
    workgroupBarrier();

    for (var step = 0u; step < depth; step++) {
      let upper = xTile[step * xQuads + ownX];
      let lower = xTile[step * xQuads + ownX + 16u];
      let left = zTile[step * zQuads + ownZ];
      let right = zTile[step * zQuads + ownZ + 8u];
      for (var i = 0u; i < 4u; i++) {
        sums[i][0] += upper[i] * left;
        sums[i][1] += upper[i] * right;
        sums[i + 4u][0] += lower[i] * left;
        sums[i + 4u][1] += lower[i] * right;
      }
    }
    workgroupBarrier();
  }

  for (var i = 0u; i < 8u; i++) {
    let n = 4u * (firstX + ownX + 16u * (i / 4u)) + i % 4u;
    for (var j = 0u; j < 2u; j++) {
      let quad = firstZ + ownZ + 8u * j;
      if (n < params.columns && quad < quadsAcross) {
        let at = (params.yRow + n) * (params.yStride / 4u) + quad;
        var sum = sums[i][j];
        if (params.accumulate != 0u) {
          sum += y[at];
        }
        y[at] = sum;
      }
    }
  }
}
