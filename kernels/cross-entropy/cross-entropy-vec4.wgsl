// lse[f + r] = log sum_c exp(logits[r, c]),  loss[f + r] = weight[f + r] · (lse[f + r] - logits[r, labels[f + r]]),
// f = firstRow; both are 0 where the label is 0xffffffff, and those rows of the logits are not read
//
// The width is a multiple of 4. A workgroup owns one row; an invocation owns every 256th group of four columns.
//   1. each invocation reads its columns once, with a running maximum m and sum s of exp(logit - m): when m grows to
//      m', s is scaled by exp(m - m') (Milakov & Gimelshein 2018);
//   2. a tree in workgroup memory joins the 256 pairs (m, s) likewise.
// No exponential exceeds 1. A logit that is NaN or +infinite leaves no finite loss.

struct Params {
  rows: u32,
  width: u32,
  firstRow: u32,
}

const ignored = 0xffffffffu;
const lowest = -3.4028234663852886e38;

@group(0) @binding(0) var<storage, read> logits: array<vec4f>;
@group(0) @binding(1) var<storage, read> labels: array<u32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read_write> loss: array<f32>;
@group(0) @binding(4) var<storage, read_write> lse: array<f32>;
@group(0) @binding(5) var<uniform> params: Params;

var<workgroup> partial: array<vec2f, 256>; // m and s

fn join(a: vec2f, b: vec2f) -> vec2f {
  let largest = max(a.x, b.x);
  return vec2f(largest, a.y * exp(a.x - largest) + b.y * exp(b.x - largest));
}

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = folded(group, groups);
  if (row >= params.rows) {
    return;
  }
  let entry = params.firstRow + row;
  let label = labels[entry];
  if (label == ignored) {
    if (lane == 0u) {
      loss[entry] = 0.0;
      lse[entry] = 0.0;
    }
    return;
  }
  let quads = params.width / 4u;
  let start = row * quads;

  var largest = lowest;
  var sum = 0.0;
  for (var c = lane; c < quads; c += 256u) {
    let four = logits[start + c];
    let before = largest;
    largest = max(max(max(four.x, four.y), max(four.z, four.w)), before);
    sum = sum * exp(before - largest) + dot(exp(four - largest), vec4f(1.0));
  }
  partial[lane] = vec2f(largest, sum);
  workgroupBarrier();
  for (var half = 128u; half > 0u; half /= 2u) {
    if (lane < half) {
      partial[lane] = join(partial[lane], partial[lane + half]);
    }
    workgroupBarrier();
  }

  if (lane == 0u) {
    let logSum = partial[0].x + log(partial[0].y);
    loss[entry] = weight[entry] * (logSum - logits[start + label / 4u][label % 4u]);
    lse[entry] = logSum;
  }
}
