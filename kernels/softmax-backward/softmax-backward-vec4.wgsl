// dx[r, c] = scale · y[r, c] · (dy[r, c] - sum_k y[r, k] · dy[r, k])
//
// The gradient of softmax.wgsl by its input, from its output y.
// A workgroup owns one row; an invocation owns every 64th group of four columns. The width is a multiple of 4.
//   1. each invocation sums y · dy over its columns;
//   2. a tree in workgroup memory adds the 64 partial sums;
//   3. each invocation computes its columns of dx.

struct Params {
  rows: u32,
  width: u32,
  scale: f32,
}

@group(0) @binding(0) var<storage, read> y: array<vec4f>;
@group(0) @binding(1) var<storage, read> dy: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> dx: array<vec4f>;
@group(0) @binding(3) var<uniform> params: Params;

var<workgroup> partial: array<f32, 64>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = folded(group, groups);
  if (row >= params.rows) {
    return;
  }
  let quads = params.width / 4u;
  let start = row * quads;

  var products = 0.0;
  for (var c = lane; c < quads; c += 64u) {
    products += dot(y[start + c], dy[start + c]);
  }
  partial[lane] = products;
  workgroupBarrier();

  for (var half = 32u; half > 0u; half /= 2u) {
    if (lane < half) {
      partial[lane] += partial[lane + half];
    }
    workgroupBarrier();
  }

  let mean = partial[0];
  for (var c = lane; c < quads; c += 64u) {
    dx[start + c] = params.scale * y[start + c] * (dy[start + c] - mean);
  }
}
