// y[i] = x[i], four elements at a time: how fast a kernel moves memory on this adapter.
//
// A workgroup owns 256 vectors, an invocation one of them: it reads 16 bytes and writes 16 bytes.

struct Params {
  vectors: u32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = folded(group, groups) * 256 + lane;
  if (i < params.vectors) {
    y[i] = x[i];
  }
}
