// dx[r, c] = s[r] · (g[r, c] - mean_c g[r, c] - d[r, c] · s[r]² · mean_c (g[r, c] · d[r, c]))
// g[r, c] = dy[r, c] · weight[c],  d[r, c] = x[r, c] - mean_c x[r, c],  s[r] = 1 / sqrt(mean_c d[r, c]² + ε)
//
// The gradient of layer-norm.wgsl by its input.
// A workgroup owns one row; an invocation owns every 64th column of it.
//   1. the mean: each invocation sums its columns, `total` adds the 64 partial sums;
//   2. the sums of d², g and g · d likewise, in one pass;
//   3. each invocation computes its columns of dx.
// Mean and scale are computed again rather than kept from the forward pass: x has to be read anyhow.

struct Params {
  rows: u32,
  width: u32,
  epsilon: f32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

var<workgroup> partial: array<vec3f, 64>;
var<workgroup> eighths: array<vec3f, 8>;

// The sums over the workgroup's invocations, the same in all of them: of 64 values, then of 8. A tree has six barriers
// where this has two, and barriers are what costs most on a software adapter.
fn total(lane: u32, value: vec3f) -> vec3f {
  partial[lane] = value;
  workgroupBarrier();
  if (lane < 8u) {
    var sum = partial[lane];
    for (var other = lane + 8u; other < 64u; other += 8u) {
      sum += partial[other];
    }
    eighths[lane] = sum;
  }
  workgroupBarrier();
  var sum = eighths[0];
  for (var k = 1u; k < 8u; k++) {
    sum += eighths[k];
  }
  return sum;
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = folded(group, groups);
  if (row >= params.rows) {
    return;
  }
  let start = row * params.width;
  let width = f32(params.width);

  var sum = 0.0;
  for (var c = lane; c < params.width; c += 64u) {
    sum += x[start + c];
  }
  let mean = total(lane, vec3f(sum, 0.0, 0.0)).x / width;

  var sums = vec3f(0.0);
  for (var c = lane; c < params.width; c += 64u) {
    let deviation = x[start + c] - mean;
    let gradient = dy[start + c] * weight[c];
    sums += vec3f(deviation * deviation, gradient, gradient * deviation);
  }
  let means = total(lane, sums) / width;
  let scale = 1.0 / sqrt(means.x + params.epsilon);
  let slope = scale * scale * means.z;

  for (var c = lane; c < params.width; c += 64u) {
    let deviation = x[start + c] - mean;
    dx[start + c] = scale * (dy[start + c] * weight[c] - means.y - deviation * slope);
  }
}
