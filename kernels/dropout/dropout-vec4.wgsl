// y[i] = x[i] / (1 - rate) if bits(seed, i) >= rate · 2³², otherwise 0                       Srivastava et al. 2014
//
// bits(seed, i) is the i-th number of kernels/random.ts's generator with that seed: SplitMix has a counter for its
// state, so that any number of the sequence can be had at once. Integers alone decide: every adapter drops the same
// elements. The same rate and seed give the gradient: dx is this function of dy.
//
// An invocation owns four neighbouring elements; size is a multiple of 4. 0 <= rate < 1.

struct Params {
  size: u32,
  rate: f32,
  seed: u32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(2) var<uniform> params: Params;

fn bits(seed: u32, i: vec4u) -> vec4u {
  var z = seed + (i + 1u) * 0x9e3779b9u;
  z = (z ^ (z >> vec4u(16u))) * 0x21f0aaadu;
  z = (z ^ (z >> vec4u(15u))) * 0x735a2d97u;
  return z ^ (z >> vec4u(15u));
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = folded(group, groups) * 64u + lane;
  if (i >= params.size / 4u) {
    return;
  }
  let kept = bits(params.seed, 4u * i + vec4u(0u, 1u, 2u, 3u)) >= vec4u(u32(params.rate * 4294967296.0));
  y[i] = select(vec4f(0.0), x[i] / (1.0 - params.rate), kept);
}
