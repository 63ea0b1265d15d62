// The step that Muon takes (Jordan et al. 2024) on the elements [offset, offset + count):
//   parameter = parameter · (1 - learningRate · weightDecay) - learningRate · factor · direction
// direction lies without gaps, from element 0.
//
// An invocation owns one element.

struct Params {
  offset: u32,
  count: u32,
  learningRate: f32,
  factor: f32,
  weightDecay: f32,
}

@group(0) @binding(0) var<storage, read> direction: array<f32>;
@group(0) @binding(1) var<storage, read_write> parameter: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

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
  let decayed = parameter[at] * (1.0 - params.learningRate * params.weightDecay);
  parameter[at] = decayed - params.learningRate * params.factor * direction[e];
}
