// y[r, c] = weight[c] · x[r, c] / sqrt(mean_c x[r, c]² + ε)                                   Zhang & Sennrich 2019
//
// A workgroup owns one row; an invocation owns every 64th group of four columns. The width is a multiple of 4.
//   1. each invocation sums the squares of its columns in four sums, then adds these;
//   2. a tree in workgroup memory adds the 64 partial sums;
//   3. each invocation scales its columns.
// Sums are f32: 256 chains of additions keep the error of a 4,096-wide row near that of a pairwise sum.

struct Params {
  rows: u32,
  width: u32,
  epsilon: f32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> weight: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;
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

  var squares = vec4f(0.0);
  for (var c = lane; c < quads; c += 64u) {
    squares += x[start + c] * x[start + c];
  }
  partial[lane] = dot(squares, vec4f(1.0));
  workgroupBarrier();

  for (var half = 32u; half > 0u; half /= 2u) {
    if (lane < half) {
      partial[lane] += partial[lane + half];
    }
    workgroupBarrier();
  }

  let scale = 1.0 / sqrt(partial[0] / f32(params.width) + params.epsilon);
  for (var c = lane; c < quads; c += 64u) {
    y[start + c] = weight[c] * (x[start + c] * scale);
  }
}
