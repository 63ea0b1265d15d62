// y[m, k] = sum_n x[m, xOffset + n] · weight[n, k]  (+ y[m, k] if `accumulate`)
//
// For discrete GPUs; columns, inner, strides and offset are multiples of 4. A workgroup owns a 128 x 64 tile of y; an
// invocation owns 8 x 8 elements of it: every 16th row, and two quads of columns 32 columns apart. For every 16 of n:
//   1. the invocations copy the tile's rows of x and its columns of the weight into workgroup memory as they lie, 4
//      elements at a time, so that neighbours read neighbouring addresses; zero beyond the end of n;
//   2. for every 4 of n an invocation takes 8 quads of x into registers, then for each n 2 quads of the weight, and
//      adds their 64 products: 16 reads of workgroup memory for 256 multiply-adds.
// A row of x's tile is 5 quads apart from the next, which spreads the rows that neighbours read over all memory banks.
// Sums are f32, in the order of n.

struct Params {
  rows: u32,
  columns: u32,
  inner: u32,
  xStride: u32,
  xOffset: u32,
  yStride: u32,
  accumulate: u32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> weight: array<Weight4>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(3) var<uniform> params: Params;

const tileRows = 128u;
const tileQuads = 16u; // of columns
const depth = 16u; // of n at a time
const pitch = 5u; // quads from one row of x's tile to the next

var<workgroup> xTile: array<vec4f, 128 * 5>; // [row][quad of n]
var<workgroup> weightTile: array<vec4f, 16 * 16>; // [n][quad of columns]

@compute @workgroup_size(128)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let quads = params.columns / 4u;
  let across = (quads + tileQuads - 1u) / tileQuads;
  let down = (params.rows + tileRows - 1u) / tileRows;
  let tile = folded(group, groups);
  if (tile >= across * down) {
    return;
  }
  // Neighbouring workgroups share their columns of the weight, the larger matrix: it is then read from memory once.
  let firstRow = tile % down * tileRows;
  let firstQuad = tile / down * tileQuads;
  let ownRow = lane / 8u;
  let ownQuad = lane % 8u;

  var sums: array<array<vec4f, 2>, 8>;
  for (var start = 0u; start < params.inner; start += depth) {
    let column = start + 4u * (lane % 4u);
    let safe = (params.xOffset + min(column, params.inner - 4u)) / 4u;
    for (var row = lane / 4u; row < tileRows; row += 32u) {
      let m = min(firstRow + row, params.rows - 1u);
      xTile[row * pitch + lane % 4u] = select(vec4f(), x[m * (params.xStride / 4u) + safe], column < params.inner);
    }
    let quad = min(firstQuad + lane % tileQuads, quads - 1u);
    for (var step = lane / tileQuads; step < depth; step += 8u) {
      let n = min(start + step, params.inner - 1u);
      let weights = weight4(weight[n * quads + quad]);
      weightTile[step * tileQuads + lane % tileQuads] = select(vec4f(), weights, start + step < params.inner);
    }
    workgroupBarrier();

    for (var step = 0u; step < depth / 4u; step++) {
      var xs: array<vec4f, 8>;
      for (var i = 0u; i < 8u; i++) {
        xs[i] = xTile[(ownRow + 16u * i) * pitch + step];
      }
      for (var n = 0u; n < 4u; n++) {
        let left = weightTile[(4u * step + n) * tileQuads + ownQuad];
        let right = weightTile[(4u * step + n) * tileQuads + ownQuad + 8u];
        for (var i = 0u; i < 8u; i++) {
          sums[i][0] += xs[i][n] * left;
          sums[i][1] += xs[i][n] * right;
        }
      }
    }
    workgroupBarrier();
  }

  for (var i = 0u; i < 8u; i++) {
    let m = firstRow + ownRow + 16u * i;
    for (var j = 0u; j < 2u; j++) {
      let quad = firstQuad + ownQuad + 8u * j;
      if (m < params.rows && quad < quads) {
        let at = m * (params.yStride / 4u) + quad;
        var sum = sums[i][j];
        if (params.accumulate != 0u) {
          sum += y[at];
        }
        y[at] = sum;
      }
    }
  }
}
