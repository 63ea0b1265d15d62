// dq[b, i, h, :] = scale · sum_j dS[i, j] · k[b, j, h', :],  h' = floor(h · kvHeads / heads), with the scores' gradient
// dS[i, j] = P[i, j] · (dy[b, i, h, :] · v[b, j, h', :] - delta[b, h, i]),  P[i, j] = exp(scale · q · k - lse[b, h, i])
// computed again from the log-sum-exp of the forward pass (FlashAttention, Dao et al. 2022): nothing of size
// queries x keys is written to memory.
//
// A workgroup owns 32 queries of one head and walks over the keys, 32 at a time:
//   1. q and k, then dy and v, pass through workgroup memory in chunks of 32 of the head's columns; an invocation adds
//      up a 2 x 2 block of the 32 x 32 products of each;
//   2. each invocation turns its block into dS, 0 where the key is not visible, and puts it into workgroup memory;
//   3. keys pass through workgroup memory in the same chunks; an invocation owns every 8th column of one query's dq and
//      adds the weighted keys.
// Chunks of 32 columns end at the head's size: the rest reads as 0.

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

@group(0) @binding(0) var<storage, read> q: array<f32>;
@group(0) @binding(1) var<storage, read> k: array<f32>;
@group(0) @binding(2) var<storage, read> v: array<f32>;
@group(0) @binding(3) var<storage, read> dy: array<f32>;
@group(0) @binding(4) var<storage, read> lse: array<f32>;
@group(0) @binding(5) var<storage, read> delta: array<f32>;
@group(0) @binding(6) var<storage, read_write> dq: array<f32>;
@group(0) @binding(7) var<uniform> params: Params;

const pitch = 33u; // an odd row length keeps the rows of a tile in different memory banks

var<workgroup> queryTile: array<f32, 32 * 33>; // of q, then of dy
var<workgroup> keyTile: array<f32, 32 * 33>; // of k, then of v, then of k again
var<workgroup> gradients: array<f32, 32 * 33>; // dS [query][key]

// Whether query i sees key j.
fn sees(i: u32, j: u32) -> bool {
  let horizon = params.position + i + 1u;
  let begin = horizon - min(horizon, params.window);
  return params.causal == 0u || (j < horizon && (params.window == 0u || j >= begin));
}

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
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
  let qStart = batch * params.queries * params.qStride + params.qOffset + head * params.headSize;
  let kStart = batch * params.keys * params.kStride + params.kOffset + kvHead * params.headSize;
  let vStart = batch * params.keys * params.vStride + params.vOffset + kvHead * params.headSize;
  let yStart = (batch * params.queries * params.heads + head) * params.headSize;
  let yStride = params.heads * params.headSize;
  let rowStart = (batch * params.heads + head) * params.queries;

  // The keys that any query of the tile sees.
  var firstKey = 0u;
  var lastKey = params.keys;
  if (params.causal != 0u) {
    let lastQuery = min(firstQuery + 31u, params.queries - 1u);
    lastKey = min(params.keys, params.position + lastQuery + 1u);
    if (params.window > 0u) {
      let firstHorizon = params.position + firstQuery + 1u;
      firstKey = firstHorizon - min(firstHorizon, params.window);
    }
  }

  let chunks = (params.headSize + 31u) / 32u;
  let owned = lane / 8u; // the query of phase 3
  let part = lane % 8u; // its columns: part, part + 8, ...
  let blockQuery = lane / 16u; // the queries of phases 1 and 2: blockQuery and blockQuery + 16
  let blockKey = lane % 16u; // the keys of phases 1 and 2: blockKey and blockKey + 16

  var sums: array<vec4f, 8>; // [chunk]: columns part, part + 8, part + 16 and part + 24 of it
  for (var tile = firstKey; tile < lastKey; tile += 32u) {
    // 1. products
    var scores = array<vec2f, 2>(); // q · k
    var slopes = array<vec2f, 2>(); // dy · v
    for (var chunk = 0u; chunk < 2u * chunks; chunk++) {
      let forward = chunk < chunks;
      for (var e = lane; e < 1024u; e += 256u) {
        let row = e / 32u;
        let column = select(chunk - chunks, chunk, forward) * 32u + e % 32u;
        let query = min(firstQuery + row, params.queries - 1u);
        let key = min(tile + row, lastKey - 1u);
        let safe = min(column, params.headSize - 1u);
        var ofQuery = 0.0;
        var ofKey = 0.0;
        if (forward) {
          ofQuery = q[qStart + query * params.qStride + safe];
          ofKey = k[kStart + key * params.kStride + safe];
        } else {
          ofQuery = dy[yStart + query * yStride + safe];
          ofKey = v[vStart + key * params.vStride + safe];
        }
        queryTile[row * pitch + e % 32u] = select(0.0, ofQuery, column < params.headSize);
        keyTile[row * pitch + e % 32u] = select(0.0, ofKey, column < params.headSize);
      }
      workgroupBarrier();
      var block = array<vec2f, 2>();
      for (var d = 0u; d < 32u; d++) {
        let pair = vec2f(keyTile[blockKey * pitch + d], keyTile[(blockKey + 16u) * pitch + d]);
        block[0] += queryTile[blockQuery * pitch + d] * pair;
        block[1] += queryTile[(blockQuery + 16u) * pitch + d] * pair;
      }
      if (forward) {
        scores[0] += block[0];
        scores[1] += block[1];
      } else {
        slopes[0] += block[0];
        slopes[1] += block[1];
      }
      workgroupBarrier();
    }

    // 2. gradients of the scores
    for (var row = 0u; row < 2u; row++) {
      let query = blockQuery + 16u * row;
      let i = firstQuery + query;
      let at = rowStart + min(i, params.queries - 1u);
      for (var column = 0u; column < 2u; column++) {
        let key = blockKey + 16u * column;
        let j = tile + key;
        var gradient = 0.0;
        if (i < params.queries && j < lastKey && sees(i, j)) {
          gradient = exp(params.scale * scores[row][column] - lse[at]) * (slopes[row][column] - delta[at]);
        }
        gradients[query * pitch + key] = gradient;
      }
    }
    workgroupBarrier();

    // 3. gradients of the queries
    for (var chunk = 0u; chunk < chunks; chunk++) {
      for (var e = lane; e < 1024u; e += 256u) {
        let column = min(chunk * 32u + e % 32u, params.headSize - 1u);
        let key = min(tile + e / 32u, lastKey - 1u);
        keyTile[e / 32u * pitch + e % 32u] = k[kStart + key * params.kStride + column];
      }
      workgroupBarrier();
      var sum = sums[chunk];
      for (var j = 0u; j < 32u; j++) {
        let at = j * pitch + part;
        let key = vec4f(keyTile[at], keyTile[at + 8u], keyTile[at + 16u], keyTile[at + 24u]);
        sum += gradients[owned * pitch + j] * key;
      }
      sums[chunk] = sum;
      workgroupBarrier();
    }
  }

  let query = firstQuery + owned;
  if (query < params.queries) {
    let start = yStart + query * yStride;
    for (var column = part; column < params.headSize; column += 8u) {
      dq[start + column] = params.scale * sums[column / 32u][column / 8u % 4u];
    }
  }
}
