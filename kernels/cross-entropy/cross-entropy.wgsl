// lse[f + r] = log sum_c exp(logits[r, c]),  loss[f + r] = weight[f + r] · (lse[f + r] - logits[r, labels[f + r]]),
// f = firstRow; both are 0 where the label is 0xffffffff, and those rows of the logits are not read
//
// A workgroup owns one row; an invocation owns every 256th column of it.
//   1. the largest element: each invocation over its columns, then a tree in workgroup memory;
//   2. the sum of the exponentials likewise.
// The largest element is subtracted, so that no exponential exceeds 1. A logit that is NaN or +infinite leaves no
// finite loss.

struct Params {
  rows: u32,
  width: u32,
  firstRow: u32,
}

const ignored = 0xffffffffu;
const lowest = -3.4028234663852886e38;

@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> labels: array<u32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read_write> loss: array<f32>;
@group(0) @binding(4) var<storage, read_write> lse: array<f32>;
@group(0) @binding(5) var<uniform> params: Params;

var<workgroup> partial: array<f32, 256>;

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
  let start = row * params.width;

  var largest = lowest;
  for (var c = lane; c < params.width; c += 256u) {
    largest = max(largest, logits[start + c]);
  }
  partial[lane] = largest;
  workgroupBarrier();
  for (var half = 128u; half > 0u; half /= 2u) {
    if (lane < half) {
      partial[lane] = max(partial[lane], partial[lane + half]);
    }
    workgroupBarrier();
  }
  largest = partial[0];
  workgroupBarrier();

  var sum = 0.0;
  for (var c = lane; c < params.width; c += 256u) {
    sum += exp(logits[start + c] - largest);
  }
  partial[lane] = sum;
  workgroupBarrier();
  for (var half = 128u; half > 0u; half /= 2u) {
    if (lane < half) {
      partial[lane] += partial[lane + half];
    }
    workgroupBarrier();
  }

  if (lane == 0u) {
    let logSum = largest + log(partial[0]);
    loss[entry] = weight[entry] * (logSum - logits[start + label]);
    lse[entry] = logSum;
  }
}
