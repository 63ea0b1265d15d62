// y[r, c] = Σ_t weight[r, t] · x[index[r, t], c]
//
// Every row of y is a weighted sum of `taps` rows of x: a gather (one tap of weight 1), a bilinear resize (four taps)
// or an average pooling of a feature map, by tables made on the host.
// An invocation owns one element of y.

struct Params {
  rows: u32,
  taps: u32,
  width: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> index: array<u32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = folded(group, groups) * 64u + lane;
  if (i >= params.rows * params.width) {
    return;
  }
  let first = i / params.width * params.taps;
  let column = i % params.width;
  var sum = 0.0;
  for (var tap = first; tap < first + params.taps; tap++) {
    sum += weight[tap] * x[index[tap] * params.width + column];
  }
  y[i] = sum;
}
