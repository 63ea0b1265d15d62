// p[b, h, i, j] = exp(s[j] - max s) / sum_j exp(s[j] - max s)  with  s[j] = scale · q[b, i, h, :] · k[b, j, h', :]
// where h' = floor(h · kvHeads / heads); keys that query i does not see have p = 0.
//
// A workgroup owns one (b, h, i); an invocation owns every 64th key of it.
//   1. each invocation writes the scores of its keys to p and keeps their maximum;
//   2. a tree in workgroup memory finds the maximum of the row;
//   3. each invocation turns its scores into exponentials and sums them;
//   4. a second tree adds the sums, and each invocation divides its keys by the total.
// The largest exponent is 0, so nothing overflows.

struct Params {
  batch: u32,
  queries: u32,
  keys: u32,
  heads: u32,
  kvHeads: u32,
  headSize: u32,
  qStride: u32,
  qOffset: u32,
  kStride: u32,
  kOffset: u32,
  position: u32,
  causal: u32,
  window: u32,
  scale: f32,
}

@group(0) @binding(0) var<storage, read> q: array<f32>;
@group(0) @binding(1) var<storage, read> k: array<f32>;
@group(0) @binding(2) var<storage, read_write> p: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

const lowest = -3.0e38;

var<workgroup> partial: array<f32, 64>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = folded(group, groups);
  if (row >= params.batch * params.heads * params.queries) {
    return;
  }
  let query = row % params.queries;
  let head = row / params.queries % params.heads;
  let batch = row / (params.queries * params.heads);
  let kvHead = head * params.kvHeads / params.heads;
  let qStart = (batch * params.queries + query) * params.qStride + params.qOffset + head * params.headSize;
  let kStart = batch * params.keys * params.kStride + params.kOffset + kvHead * params.headSize;
  let start = row * params.keys;

  // The keys [first, last) are visible.
  var first = 0u;
  var last = params.keys;
  if (params.causal != 0u) {
    let horizon = params.position + query + 1u;
    last = min(last, horizon);
    if (params.window > 0u) {
      first = min(last, horizon - min(horizon, params.window));
    }
  }

  var largest = lowest;
  for (var j = first + lane; j < last; j += 64u) {
    var score = 0.0;
    for (var d = 0u; d < params.headSize; d++) {
      score += q[qStart + d] * k[kStart + j * params.kStride + d];
    }
    score *= params.scale;
    p[start + j] = score;
    largest = max(largest, score);
  }
  partial[lane] = largest;
  workgroupBarrier();
  for (var half = 32u; half > 0u; half /= 2u) {
    if (lane < half) {
      partial[lane] = max(partial[lane], partial[lane + half]);
    }
    workgroupBarrier();
  }
  largest = partial[0];
  workgroupBarrier();

  var sum = 0.0;
  for (var j = first + lane; j < last; j += 64u) {
    let weight = exp(p[start + j] - largest);
    p[start + j] = weight;
    sum += weight;
  }
  partial[lane] = sum;
  workgroupBarrier();
  for (var half = 32u; half > 0u; half /= 2u) {
    if (lane < half) {
      partial[lane] += partial[lane + half];
    }
    workgroupBarrier();
  }

  for (var j = first + lane; j < last; j += 64u) {
    p[start + j] /= partial[0];
  }
  for (var j = lane; j < first; j += 64u) {
    p[start + j] = 0.0;
  }
  for (var j = last + lane; j < params.keys; j += 64u) {
    p[start + j] = 0.0;
  }
}
