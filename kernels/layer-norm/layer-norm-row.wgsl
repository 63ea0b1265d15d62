// y[r, c] = weight[c] · (x[r, c] - μ[r]) / sqrt(σ²[r] + ε) + bias[c]                        Ba, Kiros & Hinton 2016
// μ[r] = mean_c x[r, c],  σ²[r] = mean_c (x[r, c] - μ[r])²
//
// An invocation owns one row, read four columns at a time; the width is a multiple of 4. For software adapters, which
// run an invocation in each lane of a vector, and from 16 rows on: there, barriers cost more than the sums.
//   1. the mean;
//   2. the variance, from the squared deviations;
//   3. the normalised columns.
// The variance takes a pass of its own: E[x²] - E[x]² cancels when the mean is large beside the deviation.

struct Params {
  rows: u32,
  width: u32,
  epsilon: f32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> weight: array<vec4f>;
@group(0) @binding(2) var<storage, read> bias: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>;
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

  var sums = vec4f(0.0);
  for (var c = 0u; c < quads; c++) {
    sums += x[start + c];
  }
  let mean = dot(sums, vec4f(1.0)) / width;

  var squares = vec4f(0.0);
  for (var c = 0u; c < quads; c++) {
    let deviation = x[start + c] - mean;
    squares += deviation * deviation;
  }
  let scale = 1.0 / sqrt(dot(squares, vec4f(1.0)) / width + params.epsilon);

  for (var c = 0u; c < quads; c++) {
    y[start + c] = weight[c] * ((x[start + c] - mean) * scale) + bias[c];
  }
}
