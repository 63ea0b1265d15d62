// dq[b, i, h, :] = scale · sum_j dS[i, j] · k[b, j, h', :],  h' = floor(h · kvHeads / heads), with the scores' gradient
// dS[i, j] = P[i, j] · (dy[b, i, h, :] · v[b, j, h', :] - delta[b, h, i]),  P[i, j] = exp(scale · q · k - lse[b, h, i])
// computed again from the log-sum-exp of the forward pass (FlashAttention, Dao et al. 2022), for software adapters,
// where any load costs a dozen multiply-adds per lane and a value from a neighbouring lane almost nothing. headSize,
// strides and offsets are multiples of 4.
//
// A workgroup owns 32 queries of one head, an invocation every 8th of them: 4. They stand side by side as the
// components of a vec4f. The workgroup walks over the keys, 16 at a time:
//   1. for every 4 columns, each invocation reads a quad of its 4 queries, and 4 lanes share the reading of the keys:
//      lane l reads keys l, l + 4, l + 8 and l + 12. Each key is broadcast and multiplied with the 4 queries; each
//      invocation turns its 4 x 16 scores into P, 0 where the key is not visible;
//   2. dy and the values are multiplied likewise; each invocation turns the products into dS;
//   3. for every 4 columns, the keys are read and broadcast again, and each invocation adds the weighted keys.
// Only the first 4 lanes broadcast, so every subgroup of 4 or more will do.

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
@group(0) @binding(3) var<storage, read> dy: array<vec4f>;
@group(0) @binding(4) var<storage, read> lse: array<f32>;
@group(0) @binding(5) var<storage, read> delta: array<f32>;
@group(0) @binding(6) var<storage, read_write> dq: array<vec4f>;
@group(0) @binding(7) var<uniform> params: Params;

// Something of 16 keys (one to a column) and 4 queries (one to a row).
struct Block {
  a: mat4x4f,
  b: mat4x4f,
  c: mat4x4f,
  d: mat4x4f,
}

// 4 keys or values, one to a column, from the lanes that read them.
fn handRound(row: vec4f) -> mat4x4f {
  return mat4x4f(
    subgroupBroadcast(row, 0u),
    subgroupBroadcast(row, 1u),
    subgroupBroadcast(row, 2u),
    subgroupBroadcast(row, 3u),
  );
}

// P of one key, 0 for queries that do not see it.
fn weight(score: vec4f, logSum: vec4f, key: u32, begin: vec4u, end: vec4u) -> vec4f {
  let visible = (vec4u(key) >= begin) & (vec4u(key) < end);
  return select(vec4f(), exp(score * params.scale - logSum), visible);
}

fn weights(scores: mat4x4f, logSum: vec4f, key: u32, begin: vec4u, end: vec4u) -> mat4x4f {
  return mat4x4f(
    weight(scores[0], logSum, key, begin, end),
    weight(scores[1], logSum, key + 1u, begin, end),
    weight(scores[2], logSum, key + 2u, begin, end),
    weight(scores[3], logSum, key + 3u, begin, end),
  );
}

// dS of 4 keys from P and dy · v.
fn gradients(p: mat4x4f, slopes: mat4x4f, shift: vec4f) -> mat4x4f {
  return mat4x4f(
    p[0] * (slopes[0] - shift),
    p[1] * (slopes[1] - shift),
    p[2] * (slopes[2] - shift),
    p[3] * (slopes[3] - shift),
  );
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
  let safeQuery = min(query, vec4u(params.queries - 1u));
  let qRow = ((batch * params.queries + safeQuery) * params.qStride + params.qOffset) / 4u + head * quads;
  let yRow = ((batch * params.queries + safeQuery) * params.heads + head) * quads;
  let row = (batch * params.heads + head) * params.queries + safeQuery;
  let logSum = vec4f(lse[row.x], lse[row.y], lse[row.z], lse[row.w]);
  let shift = vec4f(delta[row.x], delta[row.y], delta[row.z], delta[row.w]);

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
  for (var tile = firstKey; tile < lastKey; tile += 16u) {
    let key = min(tile + lane % 4u + vec4u(0u, 4u, 8u, 12u), vec4u(lastKey - 1u));
    let kRow = kStart + key * (params.kStride / 4u);
    let vRow = vStart + key * (params.vStride / 4u);

    // 1. P of keys 0 to 3, 4 to 7, 8 to 11 and 12 to 15
    var p = Block();
    for (var n = 0u; n < quads; n++) {
      let four = transpose(mat4x4f(q[qRow.x + n], q[qRow.y + n], q[qRow.z + n], q[qRow.w + n]));
      p.a += four * handRound(k[kRow.x + n]);
      p.b += four * handRound(k[kRow.y + n]);
      p.c += four * handRound(k[kRow.z + n]);
      p.d += four * handRound(k[kRow.w + n]);
    }
    p.a = weights(p.a, logSum, tile, begin, end);
    p.b = weights(p.b, logSum, tile + 4u, begin, end);
    p.c = weights(p.c, logSum, tile + 8u, begin, end);
    p.d = weights(p.d, logSum, tile + 12u, begin, end);

    // 2. dS, transposed: a query to a column
    var s = Block();
    for (var n = 0u; n < quads; n++) {
      let four = transpose(mat4x4f(dy[yRow.x + n], dy[yRow.y + n], dy[yRow.z + n], dy[yRow.w + n]));
      s.a += four * handRound(v[vRow.x + n]);
      s.b += four * handRound(v[vRow.y + n]);
      s.c += four * handRound(v[vRow.z + n]);
      s.d += four * handRound(v[vRow.w + n]);
    }
    s.a = transpose(gradients(p.a, s.a, shift));
    s.b = transpose(gradients(p.b, s.b, shift));
    s.c = transpose(gradients(p.c, s.c, shift));
    s.d = transpose(gradients(p.d, s.d, shift));

    // 3. weighted keys
    for (var n = 0u; n < quads; n++) {
      var sums = outputs[n];
      sums += handRound(k[kRow.x + n]) * s.a;
      sums += handRound(k[kRow.y + n]) * s.b;
      sums += handRound(k[kRow.z + n]) * s.c;
      sums += handRound(k[kRow.w + n]) * s.d;
      outputs[n] = sums;
    }
  }

  for (var j = 0u; j < 4u; j++) {
    if (query[j] < params.queries) {
      for (var n = 0u; n < quads; n++) {
        dq[yRow[j] + n] = outputs[n][j] * params.scale;
      }
    }
  }
}
