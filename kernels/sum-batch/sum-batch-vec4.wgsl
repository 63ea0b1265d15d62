// y[i] = sum_b x[b · size + i], size a multiple of 4
//
// An invocation owns four neighbouring elements of y and adds up their batch in order.

struct Params {
  batch: u32,
  size: u32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = folded(group, groups) * 64u + lane;
  let quads = params.size / 4u;
  if (i >= quads) {
    return;
  }
  var sum = vec4f(0.0);
  for (var b = 0u; b < params.batch; b++) {
    sum += x[b * quads + i];
  }
  y[i] = sum;
}
