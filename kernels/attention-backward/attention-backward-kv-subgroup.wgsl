// dk[b, j, h', :] = scale · sum_h,i dS[i, j] · q[b, i, h, :],  dv[b, j, h', :] = sum_h,i P[i, j] · dy[b, i, h, :]
// over the queries i and the heads h with floor(h · kvHeads / heads) = h', where
// dS[i, j] = P[i, j] · (dy[b, i, h, :] · v[b, j, h', :] - delta[b, h, i]),  P[i, j] = exp(scale · q · k - lse[b, h, i])
// computed again from the log-sum-exp of the forward pass (FlashAttention, Dao et al. 2022), for software adapters,
// where any load costs a dozen multiply-adds per lane and a value from a neighbouring lane almost nothing. headSize,
// strides and offsets are multiples of 4.
//
// A workgroup owns 32 keys of one key/value head, an invocation every 8th of them: 4. They stand side by side as the
// components of a vec4f. The workgroup walks over the heads that share it and their queries, 16 at a time:
//   1. for every 4 columns, each invocation reads a quad of its 4 keys, and 4 lanes share the reading of the queries:
//      lane l reads queries l, l + 4, l + 8 and l + 12. Each query is broadcast and multiplied with the 4 keys; each
//      invocation turns its 4 x 16 scores into P, 0 where the key is not visible;
//   2. the values and dy are multiplied likewise; each invocation turns the products into dS;
//   3. for every 4 columns, q and dy are read and broadcast again, and each invocation adds the weighted ones.
// Only the first 4 lanes broadcast, so every subgroup of 4 or more will do. One workgroup adds all that belongs to its
// keys, in a fixed order: no atomics.

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
@group(0) @binding(6) var<storage, read_write> dk: array<vec4f>;
@group(0) @binding(7) var<storage, read_write> dv: array<vec4f>;
@group(0) @binding(8) var<uniform> params: Params;

// Something of 16 queries (one to a column) and 4 keys (one to a row).
struct Block {
  a: mat4x4f,
  b: mat4x4f,
  c: mat4x4f,
  d: mat4x4f,
}

// 4 queries, one to a column, from the lanes that read them.
fn handRound(row: vec4f) -> mat4x4f {
  return mat4x4f(
    subgroupBroadcast(row, 0u),
    subgroupBroadcast(row, 1u),
    subgroupBroadcast(row, 2u),
    subgroupBroadcast(row, 3u),
  );
}

// A number of 4 queries, from the lanes that read them.
fn handRoundOne(number: f32) -> vec4f {
  return vec4f(
    subgroupBroadcast(number, 0u),
    subgroupBroadcast(number, 1u),
    subgroupBroadcast(number, 2u),
    subgroupBroadcast(number, 3u),
  );
}

// P of one query, 0 for keys that it does not see.
fn weight(score: vec4f, logSum: f32, query: u32, lastQuery: u32, key: vec4u) -> vec4f {
  var end = params.keys;
  var begin = 0u;
  if (params.causal != 0u) {
    end = min(end, params.position + query + 1u);
    if (params.window > 0u) {
      begin = params.position + query + 1u - min(params.position + query + 1u, params.window);
    }
  }
  if (query >= lastQuery) {
    end = 0u;
  }
  let visible = (key >= vec4u(begin)) & (key < vec4u(end));
  return select(vec4f(), exp(score * params.scale - logSum), visible);
}

fn weights(scores: mat4x4f, logSum: vec4f, query: u32, lastQuery: u32, key: vec4u) -> mat4x4f {
  return mat4x4f(
    weight(scores[0], logSum[0], query, lastQuery, key),
    weight(scores[1], logSum[1], query + 1u, lastQuery, key),
    weight(scores[2], logSum[2], query + 2u, lastQuery, key),
    weight(scores[3], logSum[3], query + 3u, lastQuery, key),
  );
}

// dS of 4 queries from P and dy · v.
fn gradients(p: mat4x4f, slopes: mat4x4f, shift: vec4f) -> mat4x4f {
  return mat4x4f(
    p[0] * (slopes[0] - shift[0]),
    p[1] * (slopes[1] - shift[1]),
    p[2] * (slopes[2] - shift[2]),
    p[3] * (slopes[3] - shift[3]),
  );
}

@compute @workgroup_size(8)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) invocation: u32,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let tiles = (params.keys + 31u) / 32u;
  let number = folded(group, groups);
  if (number >= params.batch * params.kvHeads * tiles) {
    return;
  }
  let firstKey = number % tiles * 32u;
  let lastKey = min(firstKey + 32u, params.keys);
  let kvHead = number / tiles % params.kvHeads;
  let batch = number / (tiles * params.kvHeads);
  let quads = params.headSize / 4u;

  let key = firstKey + invocation + vec4u(0u, 8u, 16u, 24u);
  let safeKey = batch * params.keys + min(key, vec4u(params.keys - 1u));
  let kRow = (safeKey * params.kStride + params.kOffset) / 4u + kvHead * quads;
  let vRow = (safeKey * params.vStride + params.vOffset) / 4u + kvHead * quads;

  // The heads [firstHead, lastHead) share the key/value head; the queries [firstQuery, lastQuery) see any of the keys.
  let firstHead = (kvHead * params.heads + params.kvHeads - 1u) / params.kvHeads;
  let lastHead = ((kvHead + 1u) * params.heads + params.kvHeads - 1u) / params.kvHeads;
  var firstQuery = 0u;
  var lastQuery = params.queries;
  if (params.causal != 0u) {
    firstQuery = firstKey - min(firstKey, params.position);
    if (params.window > 0u) {
      let reach = lastKey - 1u + params.window;
      lastQuery = min(lastQuery, reach - min(reach, params.position));
    }
  }

  // [4 columns of the head]: one key to a column of the matrix
  var ofKeys: array<mat4x4f, 64>;
  var ofValues: array<mat4x4f, 64>;
  for (var head = firstHead; head < lastHead; head++) {
    for (var tile = firstQuery; tile < lastQuery; tile += 16u) {
      let query = min(tile + lane % 4u + vec4u(0u, 4u, 8u, 12u), vec4u(lastQuery - 1u));
      let qRow = ((batch * params.queries + query) * params.qStride + params.qOffset) / 4u + head * quads;
      let yRow = ((batch * params.queries + query) * params.heads + head) * quads;
      let row = (batch * params.heads + head) * params.queries + query;

      // 1. P of queries 0 to 3, 4 to 7, 8 to 11 and 12 to 15
      var p = Block();
      for (var n = 0u; n < quads; n++) {
        let four = transpose(mat4x4f(k[kRow.x + n], k[kRow.y + n], k[kRow.z + n], k[kRow.w + n]));
        p.a += four * handRound(q[qRow.x + n]);
        p.b += four * handRound(q[qRow.y + n]);
        p.c += four * handRound(q[qRow.z + n]);
        p.d += four * handRound(q[qRow.w + n]);
      }
      p.a = weights(p.a, handRoundOne(lse[row.x]), tile, lastQuery, key);
      p.b = weights(p.b, handRoundOne(lse[row.y]), tile + 4u, lastQuery, key);
      p.c = weights(p.c, handRoundOne(lse[row.z]), tile + 8u, lastQuery, key);
      p.d = weights(p.d, handRoundOne(lse[row.w]), tile + 12u, lastQuery, key);

      // 2. dS
      var s = Block();
      for (var n = 0u; n < quads; n++) {
        let four = transpose(mat4x4f(v[vRow.x + n], v[vRow.y + n], v[vRow.z + n], v[vRow.w + n]));
        s.a += four * handRound(dy[yRow.x + n]);
        s.b += four * handRound(dy[yRow.y + n]);
        s.c += four * handRound(dy[yRow.z + n]);
        s.d += four * handRound(dy[yRow.w + n]);
      }
      s.a = transpose(gradients(p.a, s.a, handRoundOne(delta[row.x])));
      s.b = transpose(gradients(p.b, s.b, handRoundOne(delta[row.y])));
      s.c = transpose(gradients(p.c, s.c, handRoundOne(delta[row.z])));
      s.d = transpose(gradients(p.d, s.d, handRoundOne(delta[row.w])));
      p = Block(transpose(p.a), transpose(p.b), transpose(p.c), transpose(p.d));

      // 3. weighted queries, from here on a key to a column
      for (var n = 0u; n < quads; n++) {
        var sums = ofKeys[n];
        sums += handRound(q[qRow.x + n]) * s.a;
        sums += handRound(q[qRow.y + n]) * s.b;
        sums += handRound(q[qRow.z + n]) * s.c;
        sums += handRound(q[qRow.w + n]) * s.d;
        ofKeys[n] = sums;
      }
      for (var n = 0u; n < quads; n++) {
        var sums = ofValues[n];
        sums += handRound(dy[yRow.x + n]) * p.a;
        sums += handRound(dy[yRow.y + n]) * p.b;
        sums += handRound(dy[yRow.z + n]) * p.c;
        sums += handRound(dy[yRow.w + n]) * p.d;
        ofValues[n] = sums;
      }
    }
  }

  for (var j = 0u; j < 4u; j++) {
    if (key[j] < lastKey) {
      let start = (safeKey[j] * params.kvHeads + kvHead) * quads;
      for (var n = 0u; n < quads; n++) {
        dk[start + n] = ofKeys[n][j] * params.scale;
        dv[start + n] = ofValues[n][j];
      }
    }
  }
}
