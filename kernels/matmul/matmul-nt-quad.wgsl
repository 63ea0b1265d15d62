// y[m, yOffset + n] = sum_k x[m, k] · weight[n, k] + bias[yOffset + n]
//
// Like matmul-nt-subgroup, for subgroups of 4 lanes: for software adapters, where any load costs a dozen multiply-adds per lane and a value from a neighbouring lane almost
// nothing; inner and xStride are multiples of 4. A workgroup owns 16 rows and 256 columns of y; an invocation owns all
// 16 rows of every 64th column. For every 4 of k:
//   1. each invocation reads a quad of each of its 4 rows of the weight;
//   2. 4 lanes of a subgroup share the reading of x: lane l reads the quads of rows l, l + 4, l + 8 and l + 12;
//   3. each of the 16 quads is broadcast from its lane and multiplied with the 4 quads of the weight.
// Only the first 4 lanes broadcast, so every subgroup of 4 or more will do. Sums are f32, in the order of k.

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

// sums[c] + the dot product of the row with quad c of the weight
fn accumulate(sums: vec4f, row: vec4f, w0: vec4f, w1: vec4f, w2: vec4f, w3: vec4f) -> vec4f {
  return sums + vec4f(dot(row, w0), dot(row, w1), dot(row, w2), dot(row, w3));
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) invocation: u32,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let across = (params.columns + 255u) / 256u;
  let down = (params.rows + 15u) / 16u;
  let tile = folded(group, groups);
  if (tile >= across * down) {
    return;
  }
  let firstRow = tile % down * 16u;
  let firstColumn = tile / down * 256u + invocation;
  let quads = params.inner / 4u;
  let rows = min(vec4u(firstRow + lane % 4u) + vec4u(0u, 4u, 8u, 12u), vec4u(params.rows - 1u)) * (params.xStride / 4u);
  let columns = min(vec4u(firstColumn) + vec4u(0u, 64u, 128u, 192u), vec4u(params.columns - 1u)) * quads;

  var sums: array<vec4f, 16>;
  for (var k = 0u; k < quads; k++) {
    let w0 = weight4(weight[columns.x + k]);
    let w1 = weight4(weight[columns.y + k]);
    let w2 = weight4(weight[columns.z + k]);
    let w3 = weight4(weight[columns.w + k]);
    for (var i = 0u; i < 4u; i++) {
      let row = x[rows[i] + k];
      sums[4u * i] = accumulate(sums[4u * i], subgroupBroadcast(row, 0u), w0, w1, w2, w3);
      sums[4u * i + 1u] = accumulate(sums[4u * i + 1u], subgroupBroadcast(row, 1u), w0, w1, w2, w3);
      sums[4u * i + 2u] = accumulate(sums[4u * i + 2u], subgroupBroadcast(row, 2u), w0, w1, w2, w3);
      sums[4u * i + 3u] = accumulate(sums[4u * i + 3u], subgroupBroadcast(row, 3u), w0, w1, w2, w3);
    }
  }

  for (var j = 0u; j < 4u; j++) {
    let n = firstColumn + 64u * j;
    if (n < params.columns) {
      var offset = 0.0;
      if (params.biased != 0u) {
        offset = bias[params.yOffset + n];
      }
      for (var i = 0u; i < 16u; i++) {
        if (firstRow + i < params.rows) {
          y[(firstRow + i) * params.yStride + params.yOffset + n] = sums[i][j] + offset;
        }
      }
    }
  }
}
