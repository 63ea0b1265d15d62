// y[b, 0, h, :] = sum_j p[j] · v[b, j, h', :],  p = softmax_j(scale · q[b, 0, h, :] · k[b, j, h', :]),
// lse[b, h, 0] = log sum_j exp(scale · q · k),  h' = floor(h · kvHeads / heads)
// for one query, as in a decode step, and for software adapters: there a barrier of many invocations costs far more
// than a value from a neighbouring lane. headSize, strides and offsets are multiples of 4, and
// heads is a multiple of kvHeads.
//
// A subgroup owns up to 4 heads that read the same keys and values; they stand side by side as the components of a
// vec4f. Of a wider subgroup than 8 lanes only 8 run, of narrower ones two share a workgroup. The subgroup walks over
// the keys, 4 to a lane (online softmax):
//   1. a lane computes the scores of its keys for all 4 heads. For every 4 columns, 4 lanes share the reading of the
//      queries: lane l reads that of head l and it is broadcast;
//   2. the lanes take the new maxima together and turn their scores into exponentials;
//   3. a lane owns every `lanes`-th 4 columns of the outputs: it rescales them by exp(old maximum - new maximum) and
//      adds the values of all keys, whose weights it gets by shuffles.
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

// 4 queries, one to a column, from the lanes that read them.
fn handRound(row: vec4f) -> mat4x4f {
  return mat4x4f(
    subgroupBroadcast(row, 0u),
    subgroupBroadcast(row, 1u),
    subgroupBroadcast(row, 2u),
    subgroupBroadcast(row, 3u),
  );
}

// 4 columns of a value for each head (a column of the matrix), weighted.
fn weighted(value: vec4f, weights: vec4f) -> mat4x4f {
  return mat4x4f(value * weights.x, value * weights.y, value * weights.z, value * weights.w);
}

@compute @workgroup_size(8)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) invocation: u32,
  @builtin(subgroup_invocation_id) lane: u32,
  @builtin(subgroup_size) size: u32,
) {
  let lanes = min(size, 8u);
  let sharing = params.heads / params.kvHeads; // heads that share keys and values
  let parts = (sharing + 3u) / 4u;
  let count = params.batch * params.kvHeads * parts;
  let number = folded(group, groups) * (8u / lanes) + invocation / lanes;
  let item = min(number, count - 1u); // a surplus subgroup computes the last one again and writes nothing
  let kvHead = item / parts % params.kvHeads;
  let batch = item / (parts * params.kvHeads);
  let firstHead = kvHead * sharing + item % parts * 4u;
  let lastHead = (kvHead + 1u) * sharing - 1u;
  let quads = params.headSize / 4u;
  let qStart = (batch * params.qStride + params.qOffset) / 4u + min(firstHead + lane % 4u, lastHead) * quads;
  let kStart = (batch * params.keys * params.kStride + params.kOffset) / 4u + kvHead * quads;
  let vStart = (batch * params.keys * params.vStride + params.vOffset) / 4u + kvHead * quads;

  // The keys [first, last) are visible.
  var first = 0u;
  var last = params.keys;
  if (params.causal != 0u) {
    let horizon = params.position + 1u;
    last = min(last, horizon);
    if (params.window > 0u) {
      first = horizon - min(horizon, params.window);
    }
  }

  var outputs: array<mat4x4f, 16>; // [every lanes-th 4 columns]: one head to a column of the matrix
  var largest = vec4f(masked);
  var total = vec4f();
  for (var tile = first; tile < last; tile += 4u * lanes) {
    // 1. scores of the lane's 4 keys, a head to a component
    let key = tile + 4u * lane + vec4u(0u, 1u, 2u, 3u);
    let kRow = kStart + min(key, vec4u(last - 1u)) * (params.kStride / 4u);
    var a = vec4f();
    var b = vec4f();
    var c = vec4f();
    var d = vec4f();
    for (var n = 0u; n < quads; n++) {
      let four = handRound(q[qStart + n]);
      a += k[kRow.x + n] * four;
      b += k[kRow.y + n] * four;
      c += k[kRow.z + n] * four;
      d += k[kRow.w + n] * four;
    }
    a = select(vec4f(masked), a * params.scale, key.x < last);
    b = select(vec4f(masked), b * params.scale, key.y < last);
    c = select(vec4f(masked), c * params.scale, key.z < last);
    d = select(vec4f(masked), d * params.scale, key.w < last);

    // 2. maxima and exponentials
    let before = largest;
    largest = max(largest, subgroupMax(max(max(a, b), max(c, d))));
    let shrink = exp(before - largest);
    a = exp(a - largest);
    b = exp(b - largest);
    c = exp(c - largest);
    d = exp(d - largest);
    total = total * shrink + (a + b + c + d);

    // 3. values of the keys of all lanes, up to the last visible one
    let busy = min(lanes, (last - tile + 3u) / 4u);
    for (var block = 0u; block * lanes < quads; block++) {
      let quad = vStart + min(block * lanes + lane, quads - 1u);
      let old = outputs[block];
      var sums = mat4x4f(old[0] * shrink.x, old[1] * shrink.y, old[2] * shrink.z, old[3] * shrink.w);
      for (var source = 0u; source < busy; source++) {
        let row = min(tile + 4u * source + vec4u(0u, 1u, 2u, 3u), vec4u(last - 1u)) * (params.vStride / 4u);
        sums += weighted(v[quad + row.x], subgroupShuffle(a, source));
        sums += weighted(v[quad + row.y], subgroupShuffle(b, source));
        sums += weighted(v[quad + row.z], subgroupShuffle(c, source));
        sums += weighted(v[quad + row.w], subgroupShuffle(d, source));
      }
      outputs[block] = sums;
    }
  }

  total = subgroupAdd(total);
  if (number < count) {
    for (var j = 0u; j < min(4u, lastHead - firstHead + 1u); j++) {
      let row = batch * params.heads + firstHead + j;
      for (var block = 0u; block * lanes + lane < quads; block++) {
        y[row * quads + block * lanes + lane] = outputs[block][j] / total[j];
      }
      if (lane == 0u) {
        lse[row] = largest[j] + log(total[j]);
      }
    }
  }
}
