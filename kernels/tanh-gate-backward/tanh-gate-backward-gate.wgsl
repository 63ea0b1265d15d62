// dgate[0] = (1 - tanh² gate[0]) · sum_i dy[i] · z[i]
//
// One workgroup walks over the elements, 4,096 at a time; an invocation owns every 256th of them.
//   1. each invocation adds the products of its 16 elements, then adds this sum to its total: two short chains of
//      additions lose less than one long one, as with pairwise summation;
//   2. a tree in workgroup memory adds the 256 totals; the first invocation multiplies with the slope.
// Sums are f32, in the same order in every run.

struct Params {
  size: u32,
}

@group(0) @binding(0) var<storage, read> z: array<f32>;
@group(0) @binding(1) var<storage, read> gate: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> dgate: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

var<workgroup> partial: array<f32, 256>;

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) lane: u32) {
  var total = 0.0;
  for (var start = 0u; start < params.size; start += 4096u) {
    var sum = 0.0;
    for (var i = start + lane; i < min(start + 4096u, params.size); i += 256u) {
      sum += dy[i] * z[i];
    }
    total += sum;
  }
  partial[lane] = total;
  workgroupBarrier();

  for (var half = 128u; half > 0u; half /= 2u) {
    if (lane < half) {
      partial[lane] += partial[lane + half];
    }
    workgroupBarrier();
  }

  if (lane == 0u) {
    dgate[0] = hyperbolic_slope(gate[0]) * partial[0];
  }
}
