// delta[b, h, i] = sum_d dy[b, i, h, d] · y[b, i, h, d]
//
// An invocation owns one head of one query. Sums are f32, in the order of d.

struct Params {
  batch: u32,
  queries: u32,
  heads: u32,
  headSize: u32,
}

@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read> y: array<f32>;
@group(0) @binding(2) var<storage, read_write> delta: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let number = folded(group, groups) * 64u + lane;
  if (number >= params.batch * params.queries * params.heads) {
    return;
  }
  let head = number % params.heads;
  let row = number / params.heads;
  let batch = row / params.queries;
  let start = number * params.headSize;

  var sum = 0.0;
  for (var d = start; d < start + params.headSize; d++) {
    sum += dy[d] * y[d];
  }
  delta[(batch * params.heads + head) * params.queries + row % params.queries] = sum;
}
