// y[i] = the f32 that packed weight element i stands for
//
// An invocation owns one pair of elements; the last pair of an odd size has only its first.

struct Params {
  size: u32,
}

@group(0) @binding(0) var<storage, read> x: array<Weight2>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (folded(group, groups) * 64u + lane) * 2u;
  if (i >= params.size) {
    return;
  }
  let pair = weight2(x[i / 2u]);
  y[i] = pair.x;
  if (i + 1u < params.size) {
    y[i + 1u] = pair.y;
  }
}
