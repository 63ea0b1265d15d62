// y[m, k] = sum_n x[m, xOffset + n] · weight[n, k]  (+ y[m, k] if `accumulate`)
//
// "NN": neither lies transposed. The gradient of a linear layer's input. Any sizes, strides and offsets, no optional
// feature. A workgroup owns a 64 x 64 tile of y, an invocation a 4 x 4 block. For every 16 of n:
//   1. each invocation copies 4 rows of one n from x, and 4 columns of one n from the weight, into workgroup memory,
//      zero beyond the end;
//   2. each invocation adds 16 outer products of 4 elements of x and 4 of the weight to its block.
// Sums are f32, in the order of n; what y held is added last.

struct Params {
  rows: u32,
  columns: u32,
  inner: u32,
  xStride: u32,
  xOffset: u32,
  yStride: u32,
  accumulate: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> weight: array<Weight2>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

const depth = 16u; // of n at a time
const pitch = 17u; // 16 groups of 4 rows, and one to keep the n of a tile in different memory banks

var<workgroup> xTile: array<vec4f, 16 * 17>; // [n][4 rows]
var<workgroup> weightTile: array<vec4f, 16 * 17>; // [n][4 columns]

fn xAt(m: u32, n: u32) -> f32 {
  return x[min(m, params.rows - 1u) * params.xStride + params.xOffset + n];
}

fn weightAt(n: u32, k: u32) -> f32 {
  let index = n * params.columns + min(k, params.columns - 1u);
  let pair = weight2(weight[index / 2u]);
  return select(pair.x, pair.y, index % 2u == 1u);
}

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let across = (params.columns + 63u) / 64u;
  let down = (params.rows + 63u) / 64u;
  let tile = folded(group, groups);
  if (tile >= across * down) {
    return;
  }
  let firstRow = tile / across * 64u;
  let firstColumn = tile % across * 64u;
  let across4 = lane % 16u; // the block's columns are 4 · across4 ...
  let down4 = lane / 16u; // and its rows 4 · down4 ... of the tile

  var sums = array<vec4f, 4>();
  for (var start = 0u; start < params.inner; start += depth) {
    var xs = vec4f();
    if (start + lane % depth < params.inner) {
      let n = start + lane % depth;
      let m = firstRow + 4u * (lane / depth);
      xs = vec4f(xAt(m, n), xAt(m + 1u, n), xAt(m + 2u, n), xAt(m + 3u, n));
    }
    var weights = vec4f();
    if (start + down4 < params.inner) {
      let n = start + down4;
      let k = firstColumn + 4u * across4;
      weights = vec4f(weightAt(n, k), weightAt(n, k + 1u), weightAt(n, k + 2u), weightAt(n, k + 3u));
    }
    xTile[lane % depth * pitch + lane / depth] = xs;
    weightTile[down4 * pitch + across4] = weights;
    workgroupBarrier();

    for (var step = 0u; step < depth; step++) {
      let column = xTile[step * pitch + down4];
      let row = weightTile[step * pitch + across4];
      sums[0] += column.x * row;
      sums[1] += column.y * row;
      sums[2] += column.z * row;
      sums[3] += column.w * row;
    }
    workgroupBarrier();
  }

  for (var i = 0u; i < 4u; i++) {
    let m = firstRow + 4u * down4 + i;
    for (var j = 0u; j < 4u; j++) {
      let k = firstColumn + 4u * across4 + j;
      if (m < params.rows && k < params.columns) {
        var sum = sums[i][j];
        if (params.accumulate != 0u) {
          sum += y[m * params.yStride + k];
        }
        y[m * params.yStride + k] = sum;
      }
    }
  }
}
