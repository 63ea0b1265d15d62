// y[m, k] = sum_n x[m, xOffset + n] · weight[n, k]  (+ y[m, k] if `accumulate`)
//
// For software adapters, where any load costs a dozen multiply-adds per lane and a value from a neighbouring lane
// almost nothing; columns, inner, strides and offset are multiples of 4. A workgroup owns 16 rows and 64 columns of y,
// an invocation 4 neighbouring columns of all 16 rows. For every 4 of n:
//   1. each invocation reads its quad of 4 rows of the weight;
//   2. 4 lanes of a subgroup share the reading of x: lane l reads the quads of rows l, l + 4, l + 8 and l + 12;
//   3. each of the 16 quads is broadcast from its lane and multiplied with the 4 quads of the weight, as 4 x 4
//      matrices.
// Only the first 4 lanes of a subgroup broadcast, so any of 4 or more will do. Sums are f32, in the order of n.

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

// 4 rows, from the lanes that read them.
fn handRound(row: vec4f) -> mat4x4f {
  return mat4x4f(
    subgroupBroadcast(row, 0u),
    subgroupBroadcast(row, 1u),
    subgroupBroadcast(row, 2u),
    subgroupBroadcast(row, 3u),
  );
}

// Writes a quad of rows m to m + 3 (the columns of `sums`) of y.
fn store(m: u32, quad: u32, sums: mat4x4f) {
  if (quad >= params.columns / 4u) {
    return;
  }
  for (var i = 0u; i < 4u && m + i < params.rows; i++) {
    let at = (m + i) * (params.yStride / 4u) + quad;
    var sum = sums[i];
    if (params.accumulate != 0u) {
      sum += y[at];
    }
    y[at] = sum;
  }
}

@compute @workgroup_size(16)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) invocation: u32,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let across = (params.columns + 63u) / 64u;
  let down = (params.rows + 15u) / 16u;
  let tile = folded(group, groups);
  if (tile >= across * down) {
    return;
  }
  let firstRow = tile % down * 16u;
  let quad = tile / down * 16u + invocation;
  let pitch = params.columns / 4u;
  let rows = min(vec4u(firstRow + lane % 4u) + vec4u(0u, 4u, 8u, 12u), vec4u(params.rows - 1u));
  let starts = (rows * params.xStride + params.xOffset) / 4u;

  // Rows 0 to 3, 4 to 7, 8 to 11 and 12 to 15 of the tile. A column of a matrix is a row of the tile: its 4 elements.
  var a = mat4x4f();
  var b = mat4x4f();
  var c = mat4x4f();
  var d = mat4x4f();
  var at = min(quad, pitch - 1u);
  for (var n = 0u; n < params.inner / 4u; n++) {
    let weights = mat4x4f(
      weight4(weight[at]),
      weight4(weight[at + pitch]),
      weight4(weight[at + 2u * pitch]),
      weight4(weight[at + 3u * pitch]),
    );
    at += 4u * pitch;
    a += weights * handRound(x[starts.x + n]);
    b += weights * handRound(x[starts.y + n]);
    c += weights * handRound(x[starts.z + n]);
    d += weights * handRound(x[starts.w + n]);
  }

  store(firstRow, quad, a);
  store(firstRow + 4u, quad, b);
  store(firstRow + 8u, quad, c);
  store(firstRow + 12u, quad, d);
}
