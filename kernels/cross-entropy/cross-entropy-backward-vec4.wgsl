// logits[r, c] <- weight[f + r] · (exp(logits[r, c] - lse[f + r]) - [c == labels[f + r]]), f = firstRow;
// 0 in rows whose label is 0xffffffff
//
// In place: a gradient of a whole vocabulary per token needs no second buffer. A workgroup owns 4,096 columns of one
// row; an invocation owns every 256th group of four of them. The width is a multiple of 4.

struct Params {
  rows: u32,
  width: u32,
  firstRow: u32,
}

const ignored = 0xffffffffu;

@group(0) @binding(0) var<storage, read> labels: array<u32>;
@group(0) @binding(1) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read> lse: array<f32>;
@group(0) @binding(3) var<storage, read_write> logits: array<vec4f>;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let blocks = (params.width + 4095u) / 4096u;
  let number = folded(group, groups);
  let row = number / blocks;
  if (row >= params.rows) {
    return;
  }
  let quads = params.width / 4u;
  let first = number % blocks * 1024u;
  let last = min(first + 1024u, quads);
  let start = row * quads;
  let entry = params.firstRow + row;
  let label = labels[entry];

  if (label == ignored) {
    for (var c = first + lane; c < last; c += 256u) {
      logits[start + c] = vec4f();
    }
    return;
  }
  let scale = weight[entry];
  let logSum = lse[entry];
  for (var c = first + lane; c < last; c += 256u) {
    let hit = vec4u(4u * c) + vec4u(0u, 1u, 2u, 3u) == vec4u(label);
    logits[start + c] = scale * (exp(logits[start + c] - logSum) - select(vec4f(), vec4f(1.0), hit));
  }
}
