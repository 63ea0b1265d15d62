// dx[r, c] = s[r] · (g[r, c] - x[r, c] · s[r]² · mean_c (g[r, c] · x[r, c]))
// g[r, c] = dy[r, c] · weight[c],  s[r] = 1 / sqrt(mean_c x[r, c]² + ε)
//
// The gradient of rms-norm.wgsl by its input.
// A workgroup owns one row; an invocation owns every 64th group of four columns. The width is a multiple of 4.
//   1. each invocation sums x² and g · x over its columns;
//   2. `total` adds the 64 pairs of partial sums;
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
var<workgroup> eighths: array<vec2f, 8>;

// The sums over the workgroup's invocations, the same in all of them: of 64 values, then of 8. A tree has six barriers
// where this has two, and barriers are what costs most on a software adapter.
fn total(lane: u32, value: vec2f) -> vec2f {
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

  var sums = vec2f(0.0);
  for (var c = lane; c < quads; c += 64u) {
    sums += vec2f(dot(x[start + c], x[start + c]), dot(x[start + c], dy[start + c] * weight[c]));
  }

  let means = total(lane, sums) / f32(params.width);
  let scale = 1.0 / sqrt(means.x + params.epsilon);
  let slope = scale * scale * means.y;

  for (var c = lane; c < quads; c += 64u) {
    dx[start + c] = scale * (dy[start + c] * weight[c] - x[start + c] * slope);
  }
}
