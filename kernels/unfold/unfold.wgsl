// y[(b, gy, gx), (c, py, px)] = pixels[b, c, gy · patchSize + py, gx · patchSize + px]
//
// Cuts images into square patches, one row each, so that a convolution whose stride is its size becomes a product with
// its weight [out, channels · patchSize²]. Pixels beyond the last whole patch are dropped, as that convolution does.
// An invocation owns one element of y.

struct Params {
  batch: u32,
  channels: u32,
  height: u32,
  width: u32,
  patchSize: u32,
  gridHeight: u32,
  gridWidth: u32,
}

@group(0) @binding(0) var<storage, read> pixels: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = folded(group, groups) * 64u + lane;
  let area = params.patchSize * params.patchSize;
  let columns = params.channels * area;
  let cells = params.gridHeight * params.gridWidth;
  if (i >= params.batch * cells * columns) {
    return;
  }
  let cell = (i / columns) % cells;
  let channel = (i % columns) / area;
  let within = (i % columns) % area;

  let plane = i / columns / cells * params.channels + channel;
  let row = cell / params.gridWidth * params.patchSize + within / params.patchSize;
  let column = cell % params.gridWidth * params.patchSize + within % params.patchSize;
  y[i] = pixels[(plane * params.height + row) * params.width + column];
}
