// y[yRow + n, k] = sum_m x[m, xOffset + n] · z[m, k]  (+ y[yRow + n, k] if `accumulate`)
//
// "TN": the left factor lies transposed. The gradient of a linear layer's weight. Any sizes, strides and offsets, no
// optional feature. A workgroup owns a 64 x 64 tile of y, an invocation a 4 x 4 block. For every 16 of m:
//   1. each invocation copies 4 columns of one row of x, and 4 of z, into workgroup memory, zero beyond the end;
//   2. each invocation adds 16 outer products of 4 elements of x and 4 of z to its block.
// Sums are f32, in the order of m; what y held is added last.

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

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> z: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

const depth = 16u; // of m at a time

var<workgroup> xTile: array<vec4f, 16 * 16>; // [m][4 columns]
var<workgroup> zTile: array<vec4f, 16 * 16>; // [m][4 columns]

fn xAt(m: u32, n: u32) -> f32 {
  return x[m * params.xStride + params.xOffset + min(n, params.columns - 1u)];
}

fn zAt(m: u32, k: u32) -> f32 {
  return z[m * params.zStride + min(k, params.width - 1u)];
}

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let across = (params.width + 63u) / 64u;
  let down = (params.columns + 63u) / 64u;
  let tile = folded(group, groups);
  if (tile >= across * down) {
    return;
  }
  let firstRow = tile / across * 64u;
  let firstColumn = tile % across * 64u;
  let across4 = lane % 16u; // the block's columns are 4 · across4 ...
  let down4 = lane / 16u; // and its rows 4 · down4 ... of the tile

  var sums = array<vec4f, 4>();
  for (var start = 0u; start < params.rows; start += depth) {
    var xs = vec4f();
    var zs = vec4f();
    let m = start + lane / 16u;
    if (m < params.rows) {
      let n = firstRow + 4u * across4;
      let k = firstColumn + 4u * across4;
      xs = vec4f(xAt(m, n), xAt(m, n + 1u), xAt(m, n + 2u), xAt(m, n + 3u));
      zs = vec4f(zAt(m, k), zAt(m, k + 1u), zAt(m, k + 2u), zAt(m, k + 3u));
    }
    xTile[lane] = xs;
    zTile[lane] = zs;
    workgroupBarrier();

    for (var step = 0u; step < depth; step++) {
      let column = xTile[step * 16u + down4];
      let row = zTile[step * 16u + across4];
      sums[0] += column.x * row;
      sums[1] += column.y * row;
      sums[2] += column.z * row;
      sums[3] += column.w * row;
    }
    workgroupBarrier();
  }

  for (var i = 0u; i < 4u; i++) {
    let n = firstRow + 4u * down4 + i;
    for (var j = 0u; j < 4u; j++) {
      let k = firstColumn + 4u * across4 + j;
      if (n < params.columns && k < params.width) {
        let at = (params.yRow + n) * params.yStride + k;
        var sum = sums[i][j];
        if (params.accumulate != 0u) {
          sum += y[at];
        }
        y[at] = sum;
      }
    }
  }
}
