// y[r, c] = act(x[r, c]) · x[r, width + c]                                                          Shazeer 2020
//
// x holds the gate and the upward projection side by side, as one product with both weights leaves them. The width is
// a multiple of 4.
// An invocation owns four neighbouring elements of y, counted as one below. `kind` is that of common/activation.wgsl.

struct Params {
  rows: u32,
  width: u32,
  kind: u32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(2) var<uniform> params: Params;

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
  y[i] = activate4(params.kind, x[gate]) * x[gate + width];
}
