// y[m, yOffset + n] = sum_k x[m, k] · weight[n, k] + bias[yOffset + n]
//
// For software adapters, where any load costs a dozen multiply-adds per lane and a value from a neighbouring lane
// almost nothing; inner and xStride are multiples of 4. A workgroup owns 16 rows and 64 columns of y, an invocation
// all 16 rows of every 16th column. For every 4 of k:
//   1. each invocation reads a quad of each of its 4 rows of the weight;
//   2. 8 lanes of a subgroup share the reading of x: lane l reads the quads of rows l and l + 8;
//   3. each of the 16 quads is broadcast from its lane and multiplied with the 4 quads of the weight, as 4 x 4
//      matrices.
// Only the first 8 lanes of a subgroup broadcast, so any of 8 or more will do. Sums are f32, in the order of k.

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

// Rows 0 to 3 of 8, from the lanes that read them.
fn lower(row: vec4f) -> mat4x4f {
  return mat4x4f(
    subgroupBroadcast(row, 0u),
    subgroupBroadcast(row, 1u),
    subgroupBroadcast(row, 2u),
    subgroupBroadcast(row, 3u),
  );
}

// Rows 4 to 7 of 8, from the lanes that read them.
fn upper(row: vec4f) -> mat4x4f {
  return mat4x4f(
    subgroupBroadcast(row, 4u),
    subgroupBroadcast(row, 5u),
    subgroupBroadcast(row, 6u),
    subgroupBroadcast(row, 7u),
  );
}

// Writes rows m to m + 3 (the columns of `sums`) of columns n, n + 16, n + 32 and n + 48 of y.
fn store(m: u32, n: u32, sums: mat4x4f) {
  for (var j = 0u; j < 4u; j++) {
    let column = n + 16u * j;
    if (column >= params.columns) {
      break;
    }
    var offset = 0.0;
    if (params.biased != 0u) {
      offset = bias[params.yOffset + column];
    }
    for (var i = 0u; i < 4u && m + i < params.rows; i++) {
      y[(m + i) * params.yStride + params.yOffset + column] = sums[i][j] + offset;
    }
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
  let firstColumn = tile / down * 64u + invocation;
  let quads = params.inner / 4u;
  let rows = min(vec2u(firstRow + lane % 8u) + vec2u(0u, 8u), vec2u(params.rows - 1u)) * (params.xStride / 4u);
  let columns = min(vec4u(firstColumn) + vec4u(0u, 16u, 32u, 48u), vec4u(params.columns - 1u)) * quads;

  // Rows 0 to 3, 4 to 7, 8 to 11 and 12 to 15 of the tile. A column of a matrix is a row of the tile: its 4 elements.
  var a = mat4x4f();
  var b = mat4x4f();
  var c = mat4x4f();
  var d = mat4x4f();
  for (var k = 0u; k < quads; k++) {
    let weights = transpose(mat4x4f(
      weight4(weight[columns.x + k]),
      weight4(weight[columns.y + k]),
      weight4(weight[columns.z + k]),
      weight4(weight[columns.w + k]),
    ));
    let rowA = x[rows.x + k];
    a += weights * lower(rowA);
    b += weights * upper(rowA);
    let rowB = x[rows.y + k];
    c += weights * lower(rowB);
    d += weights * upper(rowB);
  }

  store(firstRow, firstColumn, a);
  store(firstRow + 4u, firstColumn, b);
  store(firstRow + 8u, firstColumn, c);
  store(firstRow + 12u, firstColumn, d);
}
