// y[i] = x[i] / max(sqrt(square[0]), epsilon), 0 <= i < size
//
// With the sum of the squares of x in square[0] (`sum-squares`), y has the norm 1.
// An invocation owns one element.

struct Params {
  size: u32,
  epsilon: f32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> square: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = folded(group, groups) * 256u + lane;
  if (i >= params.size) {
    return;
  }
  y[i] = x[i] / max(sqrt(square[0]), params.epsilon);
}
