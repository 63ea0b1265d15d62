// y[r, c] = act(x[r, c]) · x[r, width + c]                                                          Shazeer 2020
//
// x holds the gate and the upward projection side by side, as one product with both weights leaves them.
// An invocation owns one element of y. `kind` is that of common/activation.wgsl.

struct Params {
  rows: u32,
  width: u32,
  kind: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

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
  y[i] = activate(params.kind, x[gate]) * x[gate + params.width];
}
