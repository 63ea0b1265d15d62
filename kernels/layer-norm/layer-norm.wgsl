// y[r, c] = weight[c] · (x[r, c] - μ[r]) / sqrt(σ²[r] + ε) + bias[c]                        Ba, Kiros & Hinton 2016
// μ[r] = mean_c x[r, c],  σ²[r] = mean_c (x[r, c] - μ[r])²
//
// A workgroup owns one row; an invocation owns every 64th column of it.
//   1. the mean: each invocation sums its columns, a tree in workgroup memory adds the 64 partial sums;
//   2. the variance likewise, from the squared deviations;
//   3. each invocation normalises its columns.
// The variance takes a pass of its own: E[x²] - E[x]² cancels when the mean is large beside the deviation.

struct Params {
  rows: u32,
  width: u32,
  epsilon: f32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

var<workgroup> partial: array<f32, 64>;

// The sum over the workgroup's invocations, the same in all of them.
fn total(lane: u32, value: f32) -> f32 {
  partial[lane] = value;
  workgroupBarrier();
  for (var half = 32u; half > 0u; half /= 2u) {
    if (lane < half) {
      partial[lane] += partial[lane + half];
    }
    workgroupBarrier();
  }
  let sum = partial[0];
  workgroupBarrier();
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
  let mean = total(lane, sum) / width;

  var squares = 0.0;
  for (var c = lane; c < params.width; c += 64u) {
    let deviation = x[start + c] - mean;
    squares += deviation * deviation;
  }
  let scale = 1.0 / sqrt(total(lane, squares) / width + params.epsilon);

  for (var c = lane; c < params.width; c += 64u) {
    y[start + c] = weight[c] * ((x[start + c] - mean) * scale) + bias[c];
  }
}
