// y[i, c] = source[i] == 0xffffffff ? text[i, c] : rows[source[i], c]
//
// Puts image rows into a sequence of text embeddings, each where the prompt has its place-holder.
// An invocation owns one element of y.

struct Params {
  count: u32,
  width: u32,
}

@group(0) @binding(0) var<storage, read> text: array<f32>;
@group(0) @binding(1) var<storage, read> rows: array<f32>;
@group(0) @binding(2) var<storage, read> source: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = folded(group, groups) * 64u + lane;
  if (i >= params.count * params.width) {
    return;
  }
  let row = source[i / params.width];
  if (row == 0xffffffffu) {
    y[i] = text[i];
  } else {
    y[i] = rows[row * params.width + i % params.width];
  }
}
