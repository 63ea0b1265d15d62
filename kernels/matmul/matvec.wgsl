// y[m, yOffset + n] = sum_k x[m, k] · weight[n, k] + bias[yOffset + n]
//
// For few rows of x: as fast as the weight can be read. inner and xStride are multiples of 4.
// A workgroup owns 4 columns of one row of y; an invocation owns every 64th quad of k.
//   1. each invocation adds up its share of the 4 sums, so that a quad of x is read once for 4 of the weight;
//   2. a tree in workgroup memory adds the 64 shares.
// Workgroups of the same columns follow each other, so that further rows find the weight in the cache. Sums are f32.

struct Params {
  rows: u32,
  columns: u32,
  inner: u32,
  xStride: u32,
  yStride: u32,
  yOffset: u32,
  biased: u32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> weight: array<Weight4>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

var<workgroup> partial: array<vec4f, 64>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let number = folded(group, groups);
  let m = number % params.rows;
  let n = number / params.rows * 4u;
  if (n >= params.columns) {
    return;
  }
  let quads = params.inner / 4u;
  let xStart = m * params.xStride / 4u;
  let starts = min(vec4u(n) + vec4u(0u, 1u, 2u, 3u), vec4u(params.columns - 1u)) * quads;

  var sums = vec4f();
  for (var k = lane; k < quads; k += 64u) {
    let xs = x[xStart + k];
    sums += vec4f(
      dot(xs, weight4(weight[starts.x + k])),
      dot(xs, weight4(weight[starts.y + k])),
      dot(xs, weight4(weight[starts.z + k])),
      dot(xs, weight4(weight[starts.w + k])),
    );
  }
  partial[lane] = sums;
  workgroupBarrier();

  for (var half = 32u; half > 0u; half /= 2u) {
    if (lane < half) {
      partial[lane] += partial[lane + half];
    }
    workgroupBarrier();
  }

  if (lane < 4u && n + lane < params.columns) {
    var sum = partial[0][lane];
    if (params.biased != 0u) {
      sum += bias[params.yOffset + n + lane];
    }
    y[m * params.yStride + params.yOffset + n + lane] = sum;
  }
}
