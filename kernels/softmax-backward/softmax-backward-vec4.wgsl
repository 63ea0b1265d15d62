// dx[r, c] = scale · y[r, c] · (dy[r, c] - sum_k y[r, k] · dy[r, k])
//
// The gradient of softmax.wgsl by its input, from its output y.
// A workgroup owns one row; an invocation owns every 64th group of four columns. The width is a multiple of 4.
//   1. each invocation sums y · dy over its columns;
//   2. `total` adds the 64 partial sums;
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
  let quads = params.width / 4u;
  let start = row * quads;

  var products = 0.0;
  for (var c = lane; c < quads; c += 64u) {
    products += dot(y[start + c], dy[start + c]);
  }

  let mean = total(lane, products);

  for (var c = lane; c < quads; c += 64u) {
    dx[start + c] = params.scale * y[start + c] * (dy[start + c] - mean);
  }
}
