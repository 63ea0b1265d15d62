// dx[r, c]         = dy[r, c] · x[r, width + c] · act'(x[r, c])
// dx[r, width + c] = dy[r, c] · act(x[r, c])
//
// The gradient of gated.wgsl: x and dx hold the gate and the upward projection side by side. The width is a multiple
// of 4.
// An invocation owns four neighbouring elements of dy, counted as one below. `kind` is that of common/activation.wgsl.

struct Params {
  rows: u32,
  width: u32,
  kind: u32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> dy: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> dx: array<vec4f>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = folded(group, groups) * 64u + lane;
  let width = params.width / 4u;
  if (i >= params.rows * width) {
    return;
  }
  let gate = i + i / width * width;
  let up = gate + width;
  dx[gate] = dy[i] * x[up] * activation_slope4(params.kind, x[gate]);
  dx[up] = dy[i] * activate4(params.kind, x[gate]);
}
