// y[i, d] = weight[ids[i] - first, d]  where first <= ids[i] < first + count; other rows stay as they are
//
// `weight` is a block of `count` rows of the table, which may be too large for one binding: one dispatch per block
// fills the rows whose ids lie in it.
// An invocation owns one element of y. Weight elements come in pairs, counted over the flattened block, so that a row
// of odd width may begin in the middle of a pair.

struct Params {
  rows: u32,
  width: u32,
  first: u32,
  count: u32,
}

@group(0) @binding(0) var<storage, read> ids: array<u32>;
@group(0) @binding(1) var<storage, read> weight: array<Weight2>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

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
  // An id below `first` wraps around to a number beyond `count`.
  let row = ids[i / params.width] - params.first;
  if (row >= params.count) {
    return;
  }
  let element = row * params.width + i % params.width;
  let pair = weight2(weight[element / 2u]);
  y[i] = select(pair.x, pair.y, element % 2u == 1u);
}
