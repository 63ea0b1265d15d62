// y[b, i, h, :] = sum_j p[j] · v[b, j, h', :],  p = softmax_j(scale · q[b, i, h, :] · k[b, j, h', :]),
// lse[b, h, i] = log sum_j exp(scale · q · k),  h' = floor(h · kvHeads / heads)
// with the online softmax of FlashAttention (Dao et al. 2022), for software adapters, where any load costs a dozen
// multiply-adds per lane and a value from a neighbouring lane almost nothing. headSize, strides and offsets are
// multiples of 4.
//
// A workgroup owns 32 queries of one head, an invocation every 8th of them: 4. They stand side by side as the
// components of a vec4f. The workgroup walks over the keys, 16 at a time:
//   1. for every 4 columns, each invocation reads a quad of its 4 queries, and 4 lanes share the reading of the keys:
//      lane l reads keys l, l + 4, l + 8 and l + 12. Each key is broadcast and multiplied with the 4 queries;
//   2. each invocation takes the new maxima and turns its 4 x 16 scores into exponentials;
//   3. for every 4 columns, the values are read and broadcast like the keys, and each invocation rescales its 4
//      outputs by exp(old maximum - new maximum) and adds the weighted values.
// Only the first 4 lanes broadcast, so every subgroup of 4 or more will do. Masked scores count as -1e30 and the
// maximum starts higher: their exponential is 0 even for a query that sees none of the first keys.

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

// 4 keys or values, one to a column, from the lanes that read them.
fn handRound(row: vec4f) -> mat4x4f {
  return mat4x4f(
    subgroupBroadcast(row, 0u),
    subgroupBroadcast(row, 1u),
    subgroupBroadcast(row, 2u),
    subgroupBroadcast(row, 3u),
  );
}

// The score of one key for 4 queries, scaled, or `masked` for those that do not see it.
fn visible(score: vec4f, key: u32, begin: vec4u, end: vec4u) -> vec4f {
  return select(vec4f(masked), score * params.scale, (vec4u(key) >= begin) & (vec4u(key) < end));
}

// The scores of 4 keys (columns) for 4 queries (rows), scaled and masked.
fn visible4(scores: mat4x4f, key: u32, begin: vec4u, end: vec4u) -> mat4x4f {
  return mat4x4f(
    visible(scores[0], key, begin, end),
    visible(scores[1], key + 1u, begin, end),
    visible(scores[2], key + 2u, begin, end),
    visible(scores[3], key + 3u, begin, end),
  );
}

fn largest4(scores: mat4x4f) -> vec4f {
  return max(max(scores[0], scores[1]), max(scores[2], scores[3]));
}

fn exp4(scores: mat4x4f, largest: vec4f) -> mat4x4f {
  return mat4x4f(
    exp(scores[0] - largest),
    exp(scores[1] - largest),
    exp(scores[2] - largest),
    exp(scores[3] - largest),
  );
}

fn sum4(weights: mat4x4f) -> vec4f {
  return weights[0] + weights[1] + weights[2] + weights[3];
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
    let horizon = params.position + query + 1u;
    end = min(end, horizon);
    lastKey = min(lastKey, params.position + firstQuery + 32u);
    if (params.window > 0u) {
      begin = horizon - min(horizon, vec4u(params.window));
      let firstHorizon = params.position + firstQuery + 1u;
      firstKey = firstHorizon - min(firstHorizon, params.window);
    }
  }

  var outputs: array<mat4x4f, 64>; // [4 columns of the head]: one query to a column of the matrix
  var largest = vec4f(lowest);
  var total = vec4f();
  for (var tile = firstKey; tile < lastKey; tile += 16u) {
    let key = min(tile + lane % 4u + vec4u(0u, 4u, 8u, 12u), vec4u(lastKey - 1u));

    // 1. scores of keys 0 to 3, 4 to 7, 8 to 11 and 12 to 15: a key to a column of a matrix, a query to a row
    let kRow = kStart + key * (params.kStride / 4u);
    var a = mat4x4f();
    var b = mat4x4f();
    var c = mat4x4f();
    var d = mat4x4f();
    for (var n = 0u; n < quads; n++) {
      let four = transpose(mat4x4f(q[qStart.x + n], q[qStart.y + n], q[qStart.z + n], q[qStart.w + n]));
      a += four * handRound(k[kRow.x + n]);
      b += four * handRound(k[kRow.y + n]);
      c += four * handRound(k[kRow.z + n]);
      d += four * handRound(k[kRow.w + n]);
    }

    // 2. maxima and exponentials
    a = visible4(a, tile, begin, end);
    b = visible4(b, tile + 4u, begin, end);
    c = visible4(c, tile + 8u, begin, end);
    d = visible4(d, tile + 12u, begin, end);
    let before = largest;
    largest = max(largest, max(max(largest4(a), largest4(b)), max(largest4(c), largest4(d))));
    let shrink = exp(before - largest);
    a = exp4(a, largest);
    b = exp4(b, largest);
    c = exp4(c, largest);
    d = exp4(d, largest);
    total = total * shrink + (sum4(a) + sum4(b) + sum4(c) + sum4(d));

    // 3. values
    let vRow = vStart + key * (params.vStride / 4u);
    for (var n = 0u; n < quads; n++) {
      let old = outputs[n];
      var sums = mat4x4f(old[0] * shrink.x, old[1] * shrink.y, old[2] * shrink.z, old[3] * shrink.w);
      sums += handRound(v[vRow.x + n]) * transpose(a);
      sums += handRound(v[vRow.y + n]) * transpose(b);
      sums += handRound(v[vRow.z + n]) * transpose(c);
      sums += handRound(v[vRow.w + n]) * transpose(d);
      outputs[n] = sums;
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
