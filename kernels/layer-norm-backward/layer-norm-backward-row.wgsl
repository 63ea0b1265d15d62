// dx[r, c] = s[r] · (g[r, c] - mean_c g[r, c] - d[r, c] · s[r]² · mean_c (g[r, c] · d[r, c]))
// g[r, c] = dy[r, c] · weight[c],  d[r, c] = x[r, c] - mean_c x[r, c],  s[r] = 1 / sqrt(mean_c d[r, c]² + ε)
//
// The gradient of layer-norm.wgsl by its input.
// An invocation owns one row, read four columns at a time; the width is a multiple of 4. For software adapters, which
// run an invocation in each lane of a vector, and from 16 rows on: there, barriers cost more than the sums.
//   1. the mean;
//   2. the sums of d², g and g · d in one pass;
//   3. dx.

struct Params {
  rows: u32,
  width: u32,
  epsilon: f32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> weight: array<vec4f>;
@group(0) @binding(2) var<storage, read> dy: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> dx: array<vec4f>;
@group(0) @binding(4) var<uniform> params: Params;

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
  let width = f32(params.width);

  var sum = vec4f(0.0);
  for (var c = 0u; c < quads; c++) {
    sum += x[start + c];
  }
  let mean = dot(sum, vec4f(1.0)) / width;

  var squares = vec4f(0.0);
  var gradients = vec4f(0.0);
  var products = vec4f(0.0);
  for (var c = 0u; c < quads; c++) {
    let deviation = x[start + c] - mean;
    let gradient = dy[start + c] * weight[c];
    squares += deviation * deviation;
    gradients += gradient;
    products += gradient * deviation;
  }
  let average = dot(gradients, vec4f(1.0)) / width;
  let scale = 1.0 / sqrt(dot(squares, vec4f(1.0)) / width + params.epsilon);
  let slope = scale * scale * dot(products, vec4f(1.0)) / width;

  for (var c = 0u; c < quads; c++) {
    let deviation = x[start + c] - mean;
    dx[start + c] = scale * (dy[start + c] * weight[c] - average - deviation * slope);
  }
}
