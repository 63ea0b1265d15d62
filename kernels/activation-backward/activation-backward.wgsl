// dx[i] = dy[i] · act'(x[i]), act chosen by the constant `kind` (see common/activation-slope.wgsl)
//
// An invocation owns one element. Each of the four functions is its own pipeline: the switch over `kind` folds away.

struct Params {
  size: u32,
}

override kind: u32 = 0u;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = folded(group, groups) * 64u + lane;
  if (i >= params.size) {
    return;
  }
  dx[i] = dy[i] * activation_slope(kind, x[i]);
}
