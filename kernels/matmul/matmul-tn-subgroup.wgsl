// y[yRow + n, k] = sum_m x[m, xOffset + n] · z[m, k]  (+ y[yRow + n, k] if `accumulate`)
//
// For software adapters, where any load costs a dozen multiply-adds per lane and a value from a neighbouring lane
// almost nothing; columns, width, strides and offset are multiples of 4. A workgroup owns 16 rows and 64 columns of y,
// an invocation 4 neighbouring columns of all 16 rows. For every 4 of m:
//   1. each invocation reads its quad of 4 rows of z;
//   2. 4 lanes of a subgroup share the reading of x: lane l reads the 4 quads of row l, zero beyond the last row;
//   3. each of the 16 quads is broadcast from its lane and multiplied with the 4 quads of z, as 4 x 4 matrices.
// Only the first 4 lanes of a subgroup broadcast, so any of 4 or more will do. Sums are f32, in the order of m.

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

// The same 4 columns of 4 rows, from the lanes that read them, transposed: a column of the matrix is one of x.
fn handRound(row: vec4f) -> mat4x4f {
  return transpose(mat4x4f(
    subgroupBroadcast(row, 0u),
    subgroupBroadcast(row, 1u),
    subgroupBroadcast(row, 2u),
    subgroupBroadcast(row, 3u),
  ));
}

// Writes a quad of rows n to n + 3 (the columns of `sums`) of the block of y.
fn store(n: u32, quad: u32, sums: mat4x4f) {
  if (n >= params.columns || quad >= params.width / 4u) {
    return;
  }
  for (var i = 0u; i < 4u; i++) {
    let at = (params.yRow + n + i) * (params.yStride / 4u) + quad;
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
  let across = (params.width + 63u) / 64u;
  let down = (params.columns + 15u) / 16u;
  let tile = folded(group, groups);
  if (tile >= across * down) {
    return;
  }
  let firstRow = tile % down * 16u;
  let quad = tile / down * 16u + invocation;
  let ownZ = min(quad, params.width / 4u - 1u);
  let ownX = params.xOffset / 4u + min(vec4u(firstRow / 4u) + vec4u(0u, 1u, 2u, 3u), vec4u(params.columns / 4u - 1u));
  let last = params.rows - 1u;

  // Rows 0 to 3, 4 to 7, 8 to 11 and 12 to 15 of the tile. A column of a matrix is a row of the tile: its 4 elements.
  var a = mat4x4f();
  var b = mat4x4f();
  var c = mat4x4f();
  var d = mat4x4f();
  for (var m = 0u; m < params.rows; m += 4u) {
    let rows = min(vec4u(m) + vec4u(0u, 1u, 2u, 3u), vec4u(last)) * (params.zStride / 4u) + ownZ;
    let zs = mat4x4f(z[rows.x], z[rows.y], z[rows.z], z[rows.w]);
    let row = m + lane % 4u;
    let xs = min(row, last) * (params.xStride / 4u) + ownX;
    let present = row <= last;
    a += zs * handRound(select(vec4f(), x[xs.x], present));
    b += zs * handRound(select(vec4f(), x[xs.y], present));
    c += zs * handRound(select(vec4f(), x[xs.z], present));
    d += zs * handRound(select(vec4f(), x[xs.w], present));
  }

  store(firstRow, quad, a);
  store(firstRow + 4u, quad, b);
  store(firstRow + 8u, quad, c);
  store(firstRow + 12u, quad, d);
}
