// dz[i] = tanh(gate[0]) · dy[i], size a multiple of 4
//
// An invocation owns four neighbouring elements; each takes the tangent anew, which costs less than a barrier.

struct Params {
  size: u32,
}

@group(0) @binding(0) var<storage, read> gate: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> dz: array<vec4f>;
@group(0) @binding(3) var<uniform> params: Params;

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
  dz[i] = hyperbolic_tangent(gate[0]) * dy[i];
}
