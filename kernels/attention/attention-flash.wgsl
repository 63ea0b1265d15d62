// y[b, i, h, :] = sum_j p[j] · v[b, j, h', :],  p = softmax_j(scale · q[b, i, h, :] · k[b, j, h', :]),
// lse[b, h, i] = log sum_j exp(scale · q · k),  h' = floor(h · kvHeads / heads)
// with the online softmax of FlashAttention (Dao et al. 2022): the scores are never written to memory.
//
// A workgroup owns 32 queries of one head and walks over the keys, 32 at a time:
//   1. queries and keys pass through workgroup memory in chunks of 32 of the head's columns; an invocation adds up a
//      2 x 2 block of the 32 x 32 scores, which then go to workgroup memory;
//   2. the 8 invocations of a query take the new maximum of its scores and turn them into exponentials;
//   3. values pass through workgroup memory in the same chunks; an invocation owns every 8th column of its query's
//      output, rescales what it has by exp(old maximum - new maximum) and adds the weighted values.
// Masked scores count as -1e30, of which exp is 0 next to any real score, and are excluded from the sum by name, for a
// query may see none of the first tile's keys. Chunks of 32 columns end at the head's size: the rest reads as 0.

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
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<storage, read_write> lse: array<f32>;
@group(0) @binding(5) var<uniform> params: Params;

const masked = -1.0e30;
const pitch = 33u; // an odd row length keeps the rows of a tile in different memory banks

var<workgroup> queryTile: array<f32, 32 * 33>;
var<workgroup> keyTile: array<f32, 32 * 33>; // of keys, then of values
var<workgroup> scores: array<f32, 32 * 33>;

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
  let owned = lane / 8u; // the query of phases 2 and 3
  let part = lane % 8u; // its columns and keys: part, part + 8, ...
  let scoreRow = lane / 16u; // the queries of phase 1: scoreRow and scoreRow + 16
  let scoreKey = lane % 16u; // the keys of phase 1: scoreKey and scoreKey + 16
  let horizon = params.position + firstQuery + owned + 1u; // the owned query sees keys up to this, if causal

  var output: array<f32, 32>; // columns part + 8 n
  var largest = masked;
  var total = 0.0;

  for (var tile = firstKey; tile < lastKey; tile += 32u) {
    // 1. scores
    var block = array<vec2f, 2>();
    for (var chunk = 0u; chunk < chunks; chunk++) {
      for (var e = lane; e < 1024u; e += 256u) {
        let row = e / 32u;
        let column = chunk * 32u + e % 32u;
        let query = min(firstQuery + row, params.queries - 1u);
        let key = min(tile + row, lastKey - 1u);
        let inside = column < params.headSize;
        let safe = min(column, params.headSize - 1u);
        queryTile[row * pitch + e % 32u] = select(0.0, q[qStart + query * params.qStride + safe], inside);
        keyTile[row * pitch + e % 32u] = select(0.0, k[kStart + key * params.kStride + safe], inside);
      }
      workgroupBarrier();
      for (var d = 0u; d < 32u; d++) {
        let pair = vec2f(keyTile[scoreKey * pitch + d], keyTile[(scoreKey + 16u) * pitch + d]);
        block[0] += queryTile[scoreRow * pitch + d] * pair;
        block[1] += queryTile[(scoreRow + 16u) * pitch + d] * pair;
      }
      workgroupBarrier();
    }
    scores[scoreRow * pitch + scoreKey] = block[0].x * params.scale;
    scores[scoreRow * pitch + scoreKey + 16u] = block[0].y * params.scale;
    scores[(scoreRow + 16u) * pitch + scoreKey] = block[1].x * params.scale;
    scores[(scoreRow + 16u) * pitch + scoreKey + 16u] = block[1].y * params.scale;
    workgroupBarrier();

    // 2. maximum and exponentials
    var end = lastKey;
    var begin = tile;
    if (params.causal != 0u) {
      end = min(end, horizon);
      if (params.window > 0u) {
        begin = max(begin, horizon - min(horizon, params.window));
      }
    }
    let before = largest;
    for (var j = begin; j < min(end, tile + 32u); j++) {
      largest = max(largest, scores[owned * pitch + j - tile]);
    }
    workgroupBarrier();
    for (var j = tile + part; j < tile + 32u; j += 8u) {
      let at = owned * pitch + j - tile;
      scores[at] = select(0.0, exp(scores[at] - largest), j >= begin && j < end);
    }
    workgroupBarrier();

    // 3. values
    let shrink = exp(before - largest);
    var sum = 0.0;
    for (var j = 0u; j < 32u; j++) {
      sum += scores[owned * pitch + j];
    }
    total = total * shrink + sum;
    for (var chunk = 0u; chunk < chunks; chunk++) {
      for (var e = lane; e < 1024u; e += 256u) {
        let row = e / 32u;
        let column = min(chunk * 32u + e % 32u, params.headSize - 1u);
        let key = min(tile + row, lastKey - 1u);
        keyTile[row * pitch + e % 32u] = v[vStart + key * params.vStride + column];
      }
      workgroupBarrier();
      var sums = vec4f(output[4u * chunk], output[4u * chunk + 1u], output[4u * chunk + 2u], output[4u * chunk + 3u]);
      sums *= shrink;
      for (var j = 0u; j < 32u; j++) {
        let at = j * pitch + part;
        sums += scores[owned * pitch + j] * vec4f(keyTile[at], keyTile[at + 8u], keyTile[at + 16u], keyTile[at + 24u]);
      }
      output[4u * chunk] = sums.x;
      output[4u * chunk + 1u] = sums.y;
      output[4u * chunk + 2u] = sums.z;
      output[4u * chunk + 3u] = sums.w;
      workgroupBarrier();
    }
  }

  let query = firstQuery + owned;
  if (query < params.queries) {
    let start = ((batch * params.queries + query) * params.heads + head) * params.headSize;
    for (var column = part; column < params.headSize; column += 8u) {
      y[start + column] = output[column / 8u] / total;
    }
    if (part == 0u) {
      lse[(batch * params.heads + head) * params.queries + query] = largest + log(total);
    }
  }
}
