// y[slot] = sum of x[e]², offset <= e < offset + count
//
// One workgroup walks over the block, 16,384 elements at a time; an invocation owns every 256th group of four of them.
// Offset and count are multiples of 4.
//   1. each invocation adds the squares of its 16 groups in four sums, then adds these to its totals: two short chains
//      of additions lose less than one long one, as with pairwise summation;
//   2. it adds its four totals, and a tree in workgroup memory those of the 256 invocations.
// Sums are f32, in the same order in every run.

struct Params {
  offset: u32,
  count: u32,
  slot: u32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

var<workgroup> partial: array<f32, 256>;

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) lane: u32) {
  let quads = params.count / 4u;
  var totals = vec4f();
  for (var start = 0u; start < quads; start += 4096u) {
    var sums = vec4f();
    for (var e = start + lane; e < min(start + 4096u, quads); e += 256u) {
      let four = x[params.offset / 4u + e];
      sums += four * four;
    }
    totals += sums;
  }
  partial[lane] = dot(totals, vec4f(1.0));
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
