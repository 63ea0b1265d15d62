// y[b, i, h, :] = sum_j p[j] · v[b, j, h', :],  p = softmax_j(scale · q[b, i, h, :] · k[b, j, h', :]),
// lse[b, h, i] = log sum_j exp(scale · q · k),  h' = floor(h · kvHeads / heads)
// with the online softmax of FlashAttention (Dao et al. 2022), for software adapters, where any load costs a dozen
// multiply-adds per lane and a value from a neighbouring lane almost nothing. headSize, strides and offsets are multiples
// of 4.
//
// A workgroup owns 32 queries of one head, an invocation every 8th of them: 4. They stand side by side as the components
// of a vec4f. The workgroup walks over the keys, 16 at a time:
//   1. for every 4 columns, each invocation reads a quad of its 4 queries, and 4 lanes share the reading of the keys: lane
//      l reads keys l, l + 4, l + 8 and l + 12. Each key is broadcast and multiplied with the 4 queries;
//   2. each invocation takes the new maxima and turns its 4 x 16 scores into exponentials;
//   3. for every 4 columns, the values are read and broadcast like the keys, and each invocation rescales its 4 outputs by
//      exp(old maximum - new maximum) and adds the weighted values.
// Only the first 4 lanes broadcast, so every subgroup of 4 or more will do. Masked scores count as -1e30 and the maximum
// starts higher: their exponential is 0 even for a query that sees none of the first keys.

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
const lowest = -1.0e29;

// outputs (one query to a column) + weights (one query to a component) x values
fn accumulate(outputs: mat4x4f, weights: vec4f, values: vec4f) -> mat4x4f {
  return outputs + mat4x4f(weights.x * values, weights.y * values, weights.z * values, weights.w * values);
}

@compute @workgroup_size(8)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) invocation: u32,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let tiles = (params.queries + 31u) / 32u;
  let number = folded(group, groups);
  if (number >= params.batch * params.heads * tiles) {
    return;
  }
  let firstQuery = number % tiles * 32u;
  let head = number / tiles % params.heads;
  let batch = number / (tiles * params.heads);
  let kvHead = head * params.kvHeads / params.heads;
  let quads = params.headSize / 4u;
  let kStart = (batch * params.keys * params.kStride + params.kOffset) / 4u + kvHead * quads;
  let vStart = (batch * params.keys * params.vStride + params.vOffset) / 4u + kvHead * quads;

  let query = firstQuery + invocation + vec4u(0u, 8u, 16u, 24u);
  let qRow = batch * params.queries + min(query, vec4u(params.queries - 1u));
  let qStart = (qRow * params.qStride + params.qOffset) / 4u + head * quads;

  // The keys [begin, end) are visible to each query, [firstKey, lastKey) to any of the workgroup's.
  var begin = vec4u();
  var end = vec4u(params.keys);
  var firstKey = 0u;
  var lastKey = params.keys;
  if (params.causal != 0u) {
    end = min(end, params.position + query + 1u);
    lastKey = min(lastKey, params.position + firstQuery + 32u);
    if (params.window > 0u) {
      begin = end - min(end, vec4u(params.window));
      let firstEnd = min(params.keys, params.position + firstQuery + 1u);
      firstKey = firstEnd - min(firstEnd, params.window);
    }
  }

  var outputs: array<mat4x4f, 64>; // [4 columns of the head]: one query to a column of the matrix
  var largest = vec4f(lowest);
  var total = vec4f();
  for (var tile = firstKey; tile < lastKey; tile += 16u) {
    let key = min(tile + lane % 4u + vec4u(0u, 4u, 8u, 12u), vec4u(lastKey - 1u));

    // 1. scores
    let kRow = kStart + key * (params.kStride / 4u);
    var scores = array<vec4f, 16>(); // said in full: Dawn zeroes a bare declaration only once, not in every round
    for (var d = 0u; d < quads; d++) {
      let four = mat4x4f(q[qStart.x + d], q[qStart.y + d], q[qStart.z + d], q[qStart.w + d]);
      for (var i = 0u; i < 4u; i++) {
        let row = k[kRow[i] + d];
        scores[4u * i] += subgroupBroadcast(row, 0u) * four;
        scores[4u * i + 1u] += subgroupBroadcast(row, 1u) * four;
        scores[4u * i + 2u] += subgroupBroadcast(row, 2u) * four;
        scores[4u * i + 3u] += subgroupBroadcast(row, 3u) * four;
      }
    }

    // 2. maxima and exponentials
    let before = largest;
    for (var j = 0u; j < 16u; j++) {
      let at = vec4u(tile + j);
      scores[j] = select(vec4f(masked), scores[j] * params.scale, (at >= begin) & (at < end));
      largest = max(largest, scores[j]);
    }
    let shrink = exp(before - largest);
    total *= shrink;
    for (var j = 0u; j < 16u; j++) {
      scores[j] = exp(scores[j] - largest);
      total += scores[j];
    }

    // 3. values
    let vRow = vStart + key * (params.vStride / 4u);
    for (var d = 0u; d < quads; d++) {
      var sums = outputs[d];
      sums = mat4x4f(sums[0] * shrink.x, sums[1] * shrink.y, sums[2] * shrink.z, sums[3] * shrink.w);
      for (var i = 0u; i < 4u; i++) {
        let row = v[vRow[i] + d];
        sums = accumulate(sums, scores[4u * i], subgroupBroadcast(row, 0u));
        sums = accumulate(sums, scores[4u * i + 1u], subgroupBroadcast(row, 1u));
        sums = accumulate(sums, scores[4u * i + 2u], subgroupBroadcast(row, 2u));
        sums = accumulate(sums, scores[4u * i + 3u], subgroupBroadcast(row, 3u));
      }
      outputs[d] = sums;
    }
  }

  for (var j = 0u; j < 4u; j++) {
    if (query[j] < params.queries) {
      let start = ((batch * params.queries + query[j]) * params.heads + head) * quads;
      for (var d = 0u; d < quads; d++) {
        y[start + d] = outputs[d][j] / total[j];
      }
      lse[(batch * params.heads + head) * params.queries + query[j]] = largest[j] + log(total[j]);
    }
  }
}
