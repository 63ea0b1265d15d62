// logits[r, c] <- weight[f + r] · (exp(logits[r, c] - lse[f + r]) - [c == labels[f + r]]), f = firstRow;
// 0 in rows whose label is 0xffffffff
//
// In place: a gradient of a whole vocabulary per token needs no second buffer. A workgroup owns 4,096 columns of one
// row; an invocation owns every 256th of them.

struct Params {
  rows: u32,
  width: u32,
  firstRow: u32,
}

const ignored = 0xffffffffu;

@group(0) @binding(0) var<storage, read> labels: array<u32>;
@group(0) @binding(1) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read> lse: array<f32>;
@group(0) @binding(3) var<storage, read_write> logits: array<f32>;
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
  let first = number % blocks * 4096u;
  let last = min(first + 4096u, params.width);
  let start = row * params.width;
  let entry = params.firstRow + row;
  let label = labels[entry];

  if (label == ignored) {
    for (var c = first + lane; c < last; c += 256u) {
      logits[start + c] = 0.0;
    }
    return;
  }
  let scale = weight[entry];
  let logSum = lse[entry];
  for (var c = first + lane; c < last; c += 256u) {
    logits[start + c] = scale * (exp(logits[start + c] - logSum) - select(0.0, 1.0, c == label));
  }
}
