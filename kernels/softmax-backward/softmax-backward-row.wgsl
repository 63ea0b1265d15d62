// dx[r, c] = scale · y[r, c] · (dy[r, c] - sum_k y[r, k] · dy[r, k])
//
// The gradient of softmax.wgsl by its input, from its output y.
// An invocation owns one row, read four columns at a time; the width is a multiple of 4. For software adapters, which
// run an invocation in each lane of a vector, and from 16 rows on: there, barriers cost more than the sums.
//   1. the sum of y · dy;
//   2. dx.

struct Params {
  rows: u32,
  width: u32,
  scale: f32,
}

@group(0) @binding(0) var<storage, read> y: array<vec4f>;
@group(0) @binding(1) var<storage, read> dy: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> dx: array<vec4f>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(8)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = folded(group, groups) * 8u + lane;
  if (row >= params.rows) {
    return;
  }
  let quads = params.width / 4u;
  let start = row * quads;

  var products = vec4f(0.0);
  for (var c = 0u; c < quads; c++) {
    products += y[start + c] * dy[start + c];
  }
  let mean = dot(products, vec4f(1.0));

  for (var c = 0u; c < quads; c++) {
    dx[start + c] = params.scale * y[start + c] * (dy[start + c] - mean);
  }
}
