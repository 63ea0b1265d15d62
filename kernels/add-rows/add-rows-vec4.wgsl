// y[(yRow + r) · yStride + yOffset + c] += scale · x[(xRow + r) · xStride + xOffset + c]
//
// Width, strides and offsets are multiples of 4.
// An invocation owns four neighbouring elements of the added block [rows, width], counted as one below.

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
  let row = i / width;
  let column = i % width;
  y[((params.yRow + row) * params.yStride + params.yOffset) / 4u + column] +=
    params.scale * x[((params.xRow + row) * params.xStride + params.xOffset) / 4u + column];
}
