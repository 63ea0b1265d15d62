// y[m, yOffset + n] = sum_k x[m, k] · weight[n, k] + bias[yOffset + n]
//
// For discrete GPUs; inner and xStride are multiples of 4. A workgroup owns a 128 x 64 tile of y; an invocation owns
// 8 x 8 elements of it: every 16th row and every 8th column from its own on. For every 16 of k:
//   1. the invocations copy the tile's rows of x and of the weight into workgroup memory as they lie, 4 elements at a
//      time, so that neighbours read neighbouring addresses; zero beyond the end of k;
//   2. for every 4 of k an invocation takes 8 quads of x into registers, then 8 quads of the weight one by one, and
//      adds their 64 dot products: 16 reads of workgroup memory for 256 multiply-adds.
// A row of a tile is 5 quads apart from the next, which spreads the 8 rows that neighbours read over all memory banks.
// Sums are f32.

struct Params {
  rows: u32,
  columns: u32,
  inner: u32,
  xStride: u32,
  yStride: u32,
  yOffset: u32,
  biased: u32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> weight: array<Weight4>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

const tileRows = 128u;
const tileColumns = 64u;
const depth = 4u; // quads of k at a time
const pitch = 5u; // quads from one row of a tile to the next

var<workgroup> xTile: array<vec4f, 128 * 5>; // [row][quad of k]
var<workgroup> weightTile: array<vec4f, 64 * 5>; // [column][quad of k]

@compute @workgroup_size(128)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let across = (params.columns + tileColumns - 1u) / tileColumns;
  let down = (params.rows + tileRows - 1u) / tileRows;
  let tile = folded(group, groups);
  if (tile >= across * down) {
    return;
  }
  // Neighbouring workgroups share their rows of the weight, the larger matrix: it is then read from memory once.
  let firstRow = tile % down * tileRows;
  let firstColumn = tile / down * tileColumns;
  let ownRow = lane / 8u;
  let ownColumn = lane % 8u;
  let quads = params.inner / 4u;
  let xPitch = params.xStride / 4u;

  var sums: array<array<f32, 8>, 8>;
  for (var start = 0u; start < quads; start += depth) {
    let quad = start + lane % depth;
    let safe = min(quad, quads - 1u);
    let inside = quad < quads;
    for (var row = lane / depth; row < tileRows; row += 32u) {
      let m = min(firstRow + row, params.rows - 1u);
      xTile[row * pitch + lane % depth] = select(vec4f(), x[m * xPitch + safe], inside);
    }
    for (var column = lane / depth; column < tileColumns; column += 32u) {
      let n = min(firstColumn + column, params.columns - 1u);
      weightTile[column * pitch + lane % depth] = select(vec4f(), weight4(weight[n * quads + safe]), inside);
    }
    workgroupBarrier();

    for (var step = 0u; step < depth; step++) {
      var xs: array<vec4f, 8>;
      for (var i = 0u; i < 8u; i++) {
        xs[i] = xTile[(ownRow + 16u * i) * pitch + step];
      }
      for (var j = 0u; j < 8u; j++) {
        let weights = weightTile[(ownColumn + 8u * j) * pitch + step];
        for (var i = 0u; i < 8u; i++) {
          sums[i][j] += dot(xs[i], weights);
        }
      }
    }
    workgroupBarrier();
  }

  for (var i = 0u; i < 8u; i++) {
    let m = firstRow + ownRow + 16u * i;
    for (var j = 0u; j < 8u; j++) {
      let n = firstColumn + ownColumn + 8u * j;
      if (m < params.rows && n < params.columns) {
        var sum = sums[i][j];
        if (params.biased != 0u) {
          sum += bias[params.yOffset + n];
        }
        y[m * params.yStride + params.yOffset + n] = sum;
      }
    }
  }
}
