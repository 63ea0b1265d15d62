// One AdamW step (Loshchilov & Hutter 2019) on the elements [offset, offset + count), with the gradient clipped:
//   g = gradient · min(1, maxNorm / (norm[0] + 1e-6)) if maxNorm > 0
//   p = parameter · (1 - learningRate · weightDecay)
//   m = beta1 · m + share1 · g
//   v = beta2 · v + share2 · g²
//   parameter = p - learningRate · (m / correction1) / (sqrt(v / correction2) + epsilon)
// with share = 1 - beta and correction = 1 - betaᵗ in step t = 1, 2, ..., both taken in f64 on the host: from beta2 = 0.999
// in f32, 1 - beta2 would be off by 1.3e-5 of itself.
//
// An invocation owns 4 elements side by side; offset and count are multiples of 4. Without clipping, the norm is not
// read.

struct Params {
  offset: u32,
  count: u32,
  learningRate: f32,
  beta1: f32,
  beta2: f32,
  share1: f32,
  share2: f32,
  epsilon: f32,
  weightDecay: f32,
  correction1: f32,
  correction2: f32,
  maxNorm: f32,
}

@group(0) @binding(0) var<storage, read> gradient: array<vec4f>;
@group(0) @binding(1) var<storage, read> norm: array<f32>;
@group(0) @binding(2) var<storage, read_write> parameter: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> m: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> v: array<vec4f>;
@group(0) @binding(5) var<uniform> params: Params;

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let e = folded(group, groups) * 256u + lane;
  if (e >= params.count / 4u) {
    return;
  }
  let at = params.offset / 4u + e;

  var g = gradient[at];
  if (params.maxNorm > 0.0) {
    g *= min(1.0, params.maxNorm / (norm[0] + 1e-6));
  }
  let first = params.beta1 * m[at] + params.share1 * g;
  let second = params.beta2 * v[at] + params.share2 * g * g;
  m[at] = first;
  v[at] = second;
  let decayed = parameter[at] * (1.0 - params.learningRate * params.weightDecay);
  let size = sqrt(second / params.correction2) + params.epsilon;
  parameter[at] = decayed - params.learningRate * (first / params.correction1) / size;
}
