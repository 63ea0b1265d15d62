// y[(yRow + r) · yStride + yOffset + c] += scale · x[(xRow + r) · xStride + xOffset + c]
//
// An invocation owns one element of the added block [rows, width].

struct Params {
  rows: u32,
  width: u32,
  xStride: u32,
  xOffset: u32,
  xRow: u32,
  yStride: u32,
  yOffset: u32,
  yRow: u32,
  scale: f32,
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
  let row = i / params.width;
  let column = i % params.width;
  y[(params.yRow + row) * params.yStride + params.yOffset + column] +=
    params.scale * x[(params.xRow + row) * params.xStride + params.xOffset + column];
}
