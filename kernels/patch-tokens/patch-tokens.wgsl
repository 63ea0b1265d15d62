// y[b, t, d] = (t < prefix ? prefixToken[t, d] : patches[b, t - prefix, d]) + position[t, d]
//
// The input of a vision transformer: learned tokens in front (one class token in CLIP, none in SigLIP), patch
// embeddings behind, learned positions added.                                                Dosovitskiy et al. 2020
// An invocation owns one element of y.

struct Params {
  batch: u32,
  patches: u32,
  prefix: u32,
  width: u32,
}

@group(0) @binding(0) var<storage, read> patches: array<f32>;
@group(0) @binding(1) var<storage, read> prefixToken: array<f32>;
@group(0) @binding(2) var<storage, read> position: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = folded(group, groups) * 64u + lane;
  let image = (params.prefix + params.patches) * params.width;
  if (i >= params.batch * image) {
    return;
  }
  let at = i % image;
  let front = params.prefix * params.width;
  var token: f32;
  if (at < front) {
    token = prefixToken[at];
  } else {
    token = patches[i / image * params.patches * params.width + at - front];
  }
  y[i] = token + position[at];
}
