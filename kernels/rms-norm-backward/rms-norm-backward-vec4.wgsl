// dx[r, c] = s[r] · (g[r, c] - x[r, c] · s[r]² · mean_c (g[r, c] · x[r, c]))
// g[r, c] = dy[r, c] · weight[c],  s[r] = 1 / sqrt(mean_c x[r, c]² + ε)
//
// The gradient of rms-norm.wgsl by its input.
// A workgroup owns one row; an invocation owns every 64th group of four columns. The width is a multiple of 4.
//   1. each invocation sums x² and g · x over its columns;
//   2. a tree in workgroup memory adds the 64 pairs of partial sums;
//   3. each invocation computes its columns of dx.

struct Params {
  rows: u32,
  width: u32,
  epsilon: f32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> weight: array<vec4f>;
@group(0) @binding(2) var<storage, read> dy: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> dx: array<vec4f>;
@group(0) @binding(4) var<uniform> params: Params;

var<workgroup> partial: array<vec2f, 64>;

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

  var sums = vec2f(0.0);
  for (var c = lane; c < quads; c += 64u) {
    sums += vec2f(dot(x[start + c], x[start + c]), dot(x[start + c], dy[start + c] * weight[c]));
  }
  partial[lane] = sums;
  workgroupBarrier();

  for (var half = 32u; half > 0u; half /= 2u) {
    if (lane < half) {
      partial[lane] += partial[lane + half];
    }
    workgroupBarrier();
  }

  let means = partial[0] / f32(params.width);
  let scale = 1.0 / sqrt(means.x + params.epsilon);
  let slope = scale * scale * means.y;
  for (var c = lane; c < quads; c += 64u) {
    dx[start + c] = scale * (dy[start + c] * weight[c] - x[start + c] * slope);
  }
}
