// y[slot] = sum of x[e]², offset <= e < offset + count
//
// One workgroup walks over the block, 4,096 elements at a time; an invocation owns every 256th of them.
//   1. each invocation adds the squares of its 16 elements, then adds this sum to its total: two short chains of
//      additions lose less than one long one, as with pairwise summation;
//   2. a tree in workgroup memory adds the 256 totals.
// Sums are f32, in the same order in every run.

struct Params {
  offset: u32,
  count: u32,
  slot: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

var<workgroup> partial: array<f32, 256>;

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) lane: u32) {
  var total = 0.0;
  for (var start = 0u; start < params.count; start += 4096u) {
    var sum = 0.0;
    for (var e = start + lane; e < min(start + 4096u, params.count); e += 256u) {
      let value = x[params.offset + e];
      sum += value * value;
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
    y[params.slot] = partial[0];
  }
}
