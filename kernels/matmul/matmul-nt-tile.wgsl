// y[m, yOffset + n] = sum_k x[m, k] · weight[n, k] + bias[yOffset + n]
//
// "NT": the weight lies transposed, as a linear layer stores it. Any sizes, strides and offsets, no optional feature.
// A workgroup owns a 64 x 64 tile of y, an invocation a 4 x 4 block. For every 16 of k:
//   1. each invocation copies 4 rows of one k from x, and 4 from the weight, into workgroup memory, zero beyond the
//      end;
//   2. each invocation adds 16 outer products of 4 elements of x and 4 of the weight to its block.
// Sums are f32, in the order of k.

struct Params {
  rows: u32,
  columns: u32,
  inner: u32,
  xStride: u32,
  yStride: u32,
  yOffset: u32,
  biased: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> weight: array<Weight2>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

const depth = 16u; // of k at a time
const pitch = 17u; // 16 groups of 4 rows, and one to keep the k of a tile in different memory banks

var<workgroup> xTile: array<vec4f, 16 * 17>; // [k][4 rows]
var<workgroup> weightTile: array<vec4f, 16 * 17>; // [k][4 columns]

fn xAt(m: u32, k: u32) -> f32 {
  return x[min(m, params.rows - 1u) * params.xStride + k];
}

fn weightAt(n: u32, k: u32) -> f32 {
  let index = min(n, params.columns - 1u) * params.inner + k;
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
    let k = start + lane % depth;
    let quad = lane / depth;
    var xs = vec4f();
    var weights = vec4f();
    if (k < params.inner) {
      let m = firstRow + 4u * quad;
      let n = firstColumn + 4u * quad;
      xs = vec4f(xAt(m, k), xAt(m + 1u, k), xAt(m + 2u, k), xAt(m + 3u, k));
      weights = vec4f(weightAt(n, k), weightAt(n + 1u, k), weightAt(n + 2u, k), weightAt(n + 3u, k));
    }
    xTile[lane % depth * pitch + quad] = xs;
    weightTile[lane % depth * pitch + quad] = weights;
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
      let n = firstColumn + 4u * across4 + j;
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
