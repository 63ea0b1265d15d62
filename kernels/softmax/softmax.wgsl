// y[r, c] = exp(scale · x[r, c] - m[r]) / Σ_c exp(scale · x[r, c] - m[r]),  m[r] = max_c scale · x[r, c]
//
// A workgroup owns one row; an invocation owns every 64th column of it.
//   1. the largest element: each invocation over its columns, then a tree in workgroup memory;
//   2. the sum of the exponentials likewise;
//   3. each invocation computes its exponentials again and divides: cheaper than storing and loading them.
// The largest element is subtracted, so that no exponential exceeds 1.

struct Params {
  rows: u32,
  width: u32,
  scale: f32,
}

const lowest = -3.4028234663852886e38;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

var<workgroup> partial: array<f32, 64>;

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

  var largest = lowest;
  for (var c = lane; c < params.width; c += 64u) {
    largest = max(largest, params.scale * x[start + c]);
  }
  partial[lane] = largest;
  workgroupBarrier();
  for (var half = 32u; half > 0u; half /= 2u) {
    if (lane < half) {
      partial[lane] = max(partial[lane], partial[lane + half]);
    }
    workgroupBarrier();
  }
  largest = partial[0];
  workgroupBarrier();

  var sum = 0.0;
  for (var c = lane; c < params.width; c += 64u) {
    sum += exp(params.scale * x[start + c] - largest);
  }
  partial[lane] = sum;
  workgroupBarrier();
  for (var half = 32u; half > 0u; half /= 2u) {
    if (lane < half) {
      partial[lane] += partial[lane + half];
    }
    workgroupBarrier();
  }

  let share = 1.0 / partial[0];
  for (var c = lane; c < params.width; c += 64u) {
    y[start + c] = exp(params.scale * x[start + c] - largest) * share;
  }
}
