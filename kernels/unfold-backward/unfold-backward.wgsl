// dpixels[b, c, y, x] = dy[(b, y / patchSize, x / patchSize), (c, y % patchSize, x % patchSize)], 0 beyond the grid
//
// The gradient of `unfold`: patches do not overlap, so every pixel takes one element. An invocation owns one pixel.

struct Params {
  batch: u32,
  channels: u32,
  height: u32,
  width: u32,
  patchSize: u32,
  gridHeight: u32,
  gridWidth: u32,
}

@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read_write> dpixels: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = folded(group, groups) * 64u + lane;
  let plane = i / (params.height * params.width);
  if (plane >= params.batch * params.channels) {
    return;
  }
  let y = i / params.width % params.height;
  let x = i % params.width;
  let cell = vec2u(y, x) / params.patchSize;
  if (cell.x >= params.gridHeight || cell.y >= params.gridWidth) {
    dpixels[i] = 0.0;
    return;
  }
  let within = vec2u(y, x) % params.patchSize;
  let patchRow = (plane / params.channels * params.gridHeight + cell.x) * params.gridWidth + cell.y;
  let column = (plane % params.channels * params.patchSize + within.x) * params.patchSize + within.y;
  dpixels[i] = dy[patchRow * params.channels * params.patchSize * params.patchSize + column];
}
