// scale[r] = 1 / sqrt(mean_c x[r, c]² + ε)
//
// A workgroup owns one row; an invocation owns every 64th column of it.
//   1. each invocation sums the squares of its columns;
//   2. a tree in workgroup memory adds the 64 partial sums.

struct Params {
  rows: u32,
  width: u32,
  epsilon: f32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> scale: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

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
  let start = row * params.width;

  var squares = 0.0;
  for (var c = lane; c < params.width; c += 64u) {
    squares += x[start + c] * x[start + c];
  }
  partial[lane] = squares;
  workgroupBarrier();

  for (var half = 32u; half > 0u; half /= 2u) {
    if (lane < half) {
      partial[lane] += partial[lane + half];
    }
    workgroupBarrier();
  }

  if (lane == 0u) {
    scale[row] = 1.0 / sqrt(partial[0] / f32(params.width) + params.epsilon);
  }
}
