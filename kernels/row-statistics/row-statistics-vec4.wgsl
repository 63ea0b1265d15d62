// mean[r] = mean_c x[r, c],  scale[r] = 1 / sqrt(mean_c (x[r, c] - mean[r])² + ε)
//
// A workgroup owns one row; an invocation owns every 64th group of four columns. The width is a multiple of 4.
//   1. the mean: each invocation sums its columns, `total` adds the 64 partial sums;
//   2. the variance likewise, from the squared deviations.
// The variance takes a pass of its own, as in layer-norm.wgsl: E[x²] - E[x]² cancels when the mean is large.

struct Params {
  rows: u32,
  width: u32,
  epsilon: f32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> mean: array<f32>;
@group(0) @binding(2) var<storage, read_write> scale: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

var<workgroup> partial: array<f32, 64>;
var<workgroup> eighths: array<f32, 8>;

// The sum over the workgroup's invocations, the same in all of them: of 64 values, then of 8. A tree has six barriers
// where this has two, and barriers are what costs most on a software adapter.
fn total(lane: u32, value: f32) -> f32 {
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
  let quads = params.width / 4u;
  let start = row * quads;
  let width = f32(params.width);

  var sum = vec4f(0.0);
  for (var c = lane; c < quads; c += 64u) {
    sum += x[start + c];
  }
  let center = total(lane, dot(sum, vec4f(1.0))) / width;

  var squares = 0.0;
  for (var c = lane; c < quads; c += 64u) {
    let deviation = x[start + c] - center;
    squares += dot(deviation, deviation);
  }
  let variance = total(lane, squares) / width;

  if (lane == 0u) {
    mean[row] = center;
    scale[row] = 1.0 / sqrt(variance + params.epsilon);
  }
}
