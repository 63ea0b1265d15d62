// The momentum of one Muon step (Jordan et al. 2024) on the elements [offset, offset + count), with the gradient clipped:
//   g = gradient · min(1, maxNorm / (norm[0] + 1e-6)) if maxNorm > 0
//   m = momentum · m + share · g
//   u = momentum · m + share · g                        with the new m: Nesterov's look ahead
// with share = 1 - momentum, taken in f64 on the host. u lies without gaps, from element 0.
//
// An invocation owns one element. Without clipping, the norm is not read.

struct Params {
  offset: u32,
  count: u32,
  momentum: f32,
  share: f32,
  maxNorm: f32,
}

@group(0) @binding(0) var<storage, read> gradient: array<f32>;
@group(0) @binding(1) var<storage, read> norm: array<f32>;
@group(0) @binding(2) var<storage, read_write> m: array<f32>;
@group(0) @binding(3) var<storage, read_write> u: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let e = folded(group, groups) * 256u + lane;
  if (e >= params.count) {
    return;
  }
  let at = params.offset + e;

  var g = gradient[at];
  if (params.maxNorm > 0.0) {
    g *= min(1.0, params.maxNorm / (norm[0] + 1e-6));
  }
  let moved = params.momentum * m[at] + params.share * g;
  m[at] = moved;
  u[e] = params.momentum * moved + params.share * g;
}
