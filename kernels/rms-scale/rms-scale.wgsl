// scale[r] = 1 / sqrt(mean_c x[r, c]² + ε)
//
// A workgroup owns one row; an invocation owns every 64th column of it.
//   1. each invocation sums the squares of its columns;
//   2. `total` adds the 64 partial sums.

struct Params {
  rows: u32,
  width: u32,
  epsilon: f32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> scale: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

var<workgroup> partial: array<f32, 64>;
var<workgroup> eighths: array<f32, 8>;

// The sum over the workgroup's invocations, the same in all of them: of 64 values, then of 8. A tree has six barriers
// where this has two, and barriers are what costs most on a software adapter.
fn total(lane: u32, value: f32) -> f32 {
  partial[lane] = value;
  workgroupBarrier();
  if (lane < 8u) {
    var sum = partial[lane];
    for (var other = lane + 8u; other < 64u; other += 8u) {
      sum += partial[other];
    }
    eighths[lane] = sum;
  }
  workgroupBarrier();
  var sum = eighths[0];
  for (var k = 1u; k < 8u; k++) {
    sum += eighths[k];
  }
  return sum;
}

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

  let mean = total(lane, squares) / f32(params.width);
  if (lane == 0u) {
    scale[row] = 1.0 / sqrt(mean + params.epsilon);
  }
}
