// mean[r] = mean_c x[r, c],  scale[r] = 1 / sqrt(mean_c (x[r, c] - mean[r])² + ε)
//
// An invocation owns one row, read four columns at a time; the width is a multiple of 4. For software adapters, which
// run an invocation in each lane of a vector, and from 16 rows on: there, barriers cost more than the sums.
//   1. the mean;
//   2. the variance from the squared deviations: E[x²] - E[x]² cancels when the mean is large.

struct Params {
  rows: u32,
  width: u32,
  epsilon: f32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> mean: array<f32>;
@group(0) @binding(2) var<storage, read_write> scale: array<f32>;
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
  let width = f32(params.width);

  var sum = vec4f(0.0);
  for (var c = 0u; c < quads; c++) {
    sum += x[start + c];
  }
  let center = dot(sum, vec4f(1.0)) / width;

  var squares = vec4f(0.0);
  for (var c = 0u; c < quads; c++) {
    let deviation = x[start + c] - center;
    squares += deviation * deviation;
  }
  mean[row] = center;
  scale[row] = 1.0 / sqrt(dot(squares, vec4f(1.0)) / width + params.epsilon);
}
