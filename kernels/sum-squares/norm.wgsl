// y[0] = sqrt(sum of x[e], 0 <= e < count)
//
// From sums of squares (`sum-squares`, one per parameter) to the norm over all of them.
// One workgroup; an invocation owns every 64th sum.
//   1. each invocation adds up its sums;
//   2. a tree in workgroup memory adds the 64 totals; the first invocation takes the root.

struct Params {
  count: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

var<workgroup> partial: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lane: u32) {
  var sum = 0.0;
  for (var e = lane; e < params.count; e += 64u) {
    sum += x[e];
  }
  partial[lane] = sum;
  workgroupBarrier();

  for (var half = 32u; half > 0u; half /= 2u) {
    if (lane < half) {
      partial[lane] += partial[lane + half];
    }
    workgroupBarrier();
  }

  if (lane == 0u) {
    y[0] = sqrt(partial[0]);
  }
}
