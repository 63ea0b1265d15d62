// y[b, i, h, :] = sum_j p[j] · v[b, j, h', :],  p = softmax_j(scale · q[b, i, h, :] · k[b, j, h', :]),
// lse[b, h, i] = log sum_j exp(scale · q · k),  h' = floor(h · kvHeads / heads)
// for few queries and many keys, as in a decode step. headSize, strides and offsets are multiples of 4.
//
// A workgroup owns one query of one head and walks over the keys, 128 at a time (online softmax):
//   1. an invocation computes the score of one key; a tree in workgroup memory finds the largest;
//   2. it turns its score into an exponential;
//   3. the invocations regroup: one owns 4 columns of the values for every `parts`-th key of the tile;
//   4. after the last tile the parts' sums are added in workgroup memory.
// Every query sees at least one key and tiles begin at the first one, so the maximum is that of a real score from the
// first tile on; masked scores count as -1e30, of which exp is 0.

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
  vStride: u32,
  vOffset: u32,
  position: u32,
  causal: u32,
  window: u32,
  scale: f32,
}

@group(0) @binding(0) var<storage, read> q: array<vec4f>;
@group(0) @binding(1) var<storage, read> k: array<vec4f>;
@group(0) @binding(2) var<storage, read> v: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> lse: array<f32>;
@group(0) @binding(5) var<uniform> params: Params;

const masked = -1.0e30;

var<workgroup> query: array<vec4f, 64>;
var<workgroup> scores: array<f32, 128>;
var<workgroup> maxima: array<f32, 128>;
var<workgroup> sums: array<vec4f, 128>;
var<workgroup> totals: array<f32, 128>;

@compute @workgroup_size(128)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = folded(group, groups);
  if (row >= params.batch * params.heads * params.queries) {
    return;
  }
  let i = row % params.queries;
  let head = row / params.queries % params.heads;
  let batch = row / (params.queries * params.heads);
  let kvHead = head * params.kvHeads / params.heads;
  let quads = params.headSize / 4u;
  let qStart = ((batch * params.queries + i) * params.qStride + params.qOffset) / 4u + head * quads;
  let kStart = (batch * params.keys * params.kStride + params.kOffset) / 4u + kvHead * quads;
  let vStart = (batch * params.keys * params.vStride + params.vOffset) / 4u + kvHead * quads;

  // The keys [first, last) are visible.
  var first = 0u;
  var last = params.keys;
  if (params.causal != 0u) {
    let horizon = params.position + i + 1u;
    last = min(last, horizon);
    if (params.window > 0u) {
      first = horizon - min(horizon, params.window);
    }
  }

  if (lane < quads) {
    query[lane] = q[qStart + lane] * params.scale;
  }
  let parts = 128u / quads;
  let part = lane / quads;
  let quad = lane % quads;
  var output = vec4f();
  var largest = masked;
  var total = 0.0;
  workgroupBarrier();

  for (var tile = first; tile < last; tile += 128u) {
    // 1. scores
    var score = masked;
    if (tile + lane < last) {
      let start = kStart + (tile + lane) * (params.kStride / 4u);
      var products = vec4f();
      for (var d = 0u; d < quads; d++) {
        products += query[d] * k[start + d];
      }
      score = products.x + products.y + products.z + products.w;
    }
    maxima[lane] = score;
    workgroupBarrier();
    for (var half = 64u; half > 0u; half /= 2u) {
      if (lane < half) {
        maxima[lane] = max(maxima[lane], maxima[lane + half]);
      }
      workgroupBarrier();
    }

    // 2. exponentials
    let before = largest;
    largest = max(largest, maxima[0]);
    let shrink = exp(before - largest);
    let weight = exp(score - largest);
    scores[lane] = weight;
    total = total * shrink + weight;
    workgroupBarrier();

    // 3. values
    output *= shrink;
    let end = min(128u, last - tile);
    if (part < parts) {
      for (var j = part; j < end; j += parts) {
        output += scores[j] * v[vStart + (tile + j) * (params.vStride / 4u) + quad];
      }
    }
    workgroupBarrier();
  }

  // 4. the sum of the parts
  sums[lane] = output;
  totals[lane] = total;
  workgroupBarrier();
  for (var half = 64u; half > 0u; half /= 2u) {
    if (lane < half) {
      totals[lane] += totals[lane + half];
    }
    workgroupBarrier();
  }
  if (lane < quads) {
    for (var other = 1u; other < parts; other++) {
      output += sums[other * quads + lane];
    }
    y[((batch * params.queries + i) * params.heads + head) * quads + lane] = output / totals[0];
  }
  if (lane == 0u) {
    lse[(batch * params.heads + head) * params.queries + i] = largest + log(totals[0]);
  }
}
