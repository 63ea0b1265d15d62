// dweight[c] = sum_r dy[r, c] · x[r, c] · scale[r]
//
// The gradient of rms-norm.wgsl by its weight; scale comes from rms-scale.wgsl.
// A workgroup owns 32 columns; an invocation owns one of them in every 8th row.
//   1. each invocation adds up its rows;
//   2. the first 32 invocations add the 8 partial sums of their column, in order.
// Every sum is taken in the same order in every run.

struct Params {
  rows: u32,
  width: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> scale: array<f32>;
@group(0) @binding(3) var<storage, read_write> dweight: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

var<workgroup> partial: array<f32, 256>;

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let first = folded(group, groups) * 32u;
  if (first >= params.width) {
    return;
  }
  let column = first + lane % 32u;

  var sum = 0.0;
  if (column < params.width) {
    for (var r = lane / 32u; r < params.rows; r += 8u) {
      let i = r * params.width + column;
      sum += dy[i] * (x[i] * scale[r]);
    }
  }
  partial[lane] = sum;
  workgroupBarrier();

  if (lane < 32u && column < params.width) {
    for (var part = 1u; part < 8u; part++) {
      sum += partial[32u * part + lane];
    }
    dweight[column] = sum;
  }
}
