// dk[b, j, h', :] = scale · sum_h,i dS[i, j] · q[b, i, h, :],  dv[b, j, h', :] = sum_h,i P[i, j] · dy[b, i, h, :]
// over the queries i and the heads h with floor(h · kvHeads / heads) = h', where
// dS[i, j] = P[i, j] · (dy[b, i, h, :] · v[b, j, h', :] - delta[b, h, i]),  P[i, j] = exp(scale · q · k - lse[b, h, i])
// computed again from the log-sum-exp of the forward pass (FlashAttention, Dao et al. 2022): nothing of size
// queries x keys is written to memory.
//
// A workgroup owns 32 keys of one key/value head and walks over the heads that share it and their queries, 32 by 32:
//   1. q and k, then dy and v, pass through workgroup memory in chunks of 16 of the head's columns; an invocation adds
//      up a 2 x 2 block of the 32 x 32 products of each;
//   2. each invocation turns its block into P and dS, 0 where the key is not visible, in workgroup memory;
//   3. q and dy pass through workgroup memory in the same chunks; an invocation owns every 8th column of one key's dk
//      and dv and adds the weighted queries.
// One workgroup adds all that belongs to its keys, in a fixed order: no atomics. Chunks of 16 columns end at the head's
// size: the rest reads as 0.

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
@group(0) @binding(6) var<storage, read_write> dk: array<f32>;
@group(0) @binding(7) var<storage, read_write> dv: array<f32>;
@group(0) @binding(8) var<uniform> params: Params;

const pitch = 33u; // odd row lengths keep the rows of a tile in different memory banks
const narrow = 17u;

var<workgroup> queryTile: array<f32, 32 * 17>; // of q, then of dy, then of q again
var<workgroup> keyTile: array<f32, 32 * 17>; // of k, then of v, then of dy
var<workgroup> weights: array<f32, 32 * 33>; // P [key][query]
var<workgroup> gradients: array<f32, 32 * 33>; // dS [key][query]

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
  let tiles = (params.keys + 31u) / 32u;
  let number = folded(group, groups);
  if (number >= params.batch * params.kvHeads * tiles) {
    return;
  }
  let firstKey = number % tiles * 32u;
  let lastKey = min(firstKey + 32u, params.keys);
  let kvHead = number / tiles % params.kvHeads;
  let batch = number / (tiles * params.kvHeads);
  let kStart = batch * params.keys * params.kStride + params.kOffset + kvHead * params.headSize;
  let vStart = batch * params.keys * params.vStride + params.vOffset + kvHead * params.headSize;
  let yStride = params.heads * params.headSize;

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

  let chunks = (params.headSize + 15u) / 16u;
  let owned = lane / 8u; // the key of phase 3
  let part = lane % 8u; // its columns: part, part + 8, ...
  let blockKey = lane / 16u; // the keys of phases 1 and 2: blockKey and blockKey + 16
  let blockQuery = lane % 16u; // the queries of phases 1 and 2: blockQuery and blockQuery + 16

  // [chunk]: columns part and part + 8 of dk in xy, of dv in zw
  var sums: array<vec4f, 16>;
  for (var head = firstHead; head < lastHead; head++) {
    let qStart = batch * params.queries * params.qStride + params.qOffset + head * params.headSize;
    let yStart = (batch * params.queries * params.heads + head) * params.headSize;
    let rowStart = (batch * params.heads + head) * params.queries;

    for (var tile = firstQuery; tile < lastQuery; tile += 32u) {
      // 1. products
      var scores = array<vec2f, 2>(); // k · q
      var slopes = array<vec2f, 2>(); // v · dy
      for (var chunk = 0u; chunk < 2u * chunks; chunk++) {
        let forward = chunk < chunks;
        for (var e = lane; e < 512u; e += 256u) {
          let row = e / 16u;
          let column = select(chunk - chunks, chunk, forward) * 16u + e % 16u;
          let query = min(tile + row, lastQuery - 1u);
          let key = min(firstKey + row, lastKey - 1u);
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
          queryTile[row * narrow + e % 16u] = select(0.0, ofQuery, column < params.headSize);
          keyTile[row * narrow + e % 16u] = select(0.0, ofKey, column < params.headSize);
        }
        workgroupBarrier();
        var block = array<vec2f, 2>();
        for (var d = 0u; d < 16u; d++) {
          let pair = vec2f(queryTile[blockQuery * narrow + d], queryTile[(blockQuery + 16u) * narrow + d]);
          block[0] += keyTile[blockKey * narrow + d] * pair;
          block[1] += keyTile[(blockKey + 16u) * narrow + d] * pair;
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

      // 2. probabilities and gradients of the scores
      for (var row = 0u; row < 2u; row++) {
        let key = blockKey + 16u * row;
        let j = firstKey + key;
        for (var column = 0u; column < 2u; column++) {
          let query = blockQuery + 16u * column;
          let i = tile + query;
          let at = rowStart + min(i, lastQuery - 1u);
          var weight = 0.0;
          if (i < lastQuery && j < lastKey && sees(i, j)) {
            weight = exp(params.scale * scores[row][column] - lse[at]);
          }
          weights[key * pitch + query] = weight;
          gradients[key * pitch + query] = weight * (slopes[row][column] - delta[at]);
        }
      }
      workgroupBarrier();

      // 3. gradients of the keys and values
      for (var chunk = 0u; chunk < chunks; chunk++) {
        for (var e = lane; e < 512u; e += 256u) {
          let column = min(chunk * 16u + e % 16u, params.headSize - 1u);
          let query = min(tile + e / 16u, lastQuery - 1u);
          queryTile[e / 16u * narrow + e % 16u] = q[qStart + query * params.qStride + column];
          keyTile[e / 16u * narrow + e % 16u] = dy[yStart + query * yStride + column];
        }
        workgroupBarrier();
        var sum = sums[chunk];
        for (var i = 0u; i < 32u; i++) {
          let at = i * narrow + part;
          let gradient = gradients[owned * pitch + i] * vec2f(queryTile[at], queryTile[at + 8u]);
          let value = weights[owned * pitch + i] * vec2f(keyTile[at], keyTile[at + 8u]);
          sum += vec4f(gradient, value);
        }
        sums[chunk] = sum;
        workgroupBarrier();
      }
    }
  }

  let key = firstKey + owned;
  if (key < lastKey) {
    let start = ((batch * params.keys + key) * params.kvHeads + kvHead) * params.headSize;
    for (var column = part; column < params.headSize; column += 8u) {
      let pair = sums[column / 16u];
      let second = column / 8u % 2u;
      dk[start + column] = params.scale * pair[second];
      dv[start + column] = pair[2u + second];
    }
  }
}
