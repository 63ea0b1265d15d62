// dx[r, c]         = dy[r, c] · x[r, width + c] · act'(x[r, c])
// dx[r, width + c] = dy[r, c] · act(x[r, c])
//
// The gradient of gated.wgsl: x and dx hold the gate and the upward projection side by side.
// An invocation owns one element of dy. `kind` is that of common/activation.wgsl.

struct Params {
  rows: u32,
  width: u32,
  kind: u32,
}

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
  if (i >= params.rows * params.width) {
    return;
  }
  let gate = i + i / params.width * params.width;
  let up = gate + params.width;
  dx[gate] = dy[i] * x[up] * activation_slope(params.kind, x[gate]);
  dx[up] = dy[i] * activate(params.kind, x[gate]);
}
