// y[v, d] = sum over i with ids[i] == first + v of dy[i, d]  (+ y[v, d] if `accumulate`)
//
// The gradient of embedding.wgsl by its table, for the block of rows [first, first + count) of it. Ids may repeat and
// may lie outside the block. Without atomic additions: the sums are taken in the same order in every run.
// A workgroup owns a tile of 64 rows and 64 columns of y; an invocation owns one of the columns.
//   1. unless accumulating, each invocation sets its column of the tile to 0;
//   2. for 2,048 tokens at a time, each invocation looks at every 64th id and keeps 32 answers as the bits of a word;
//   3. if there is any hit, all read all 64 words and each adds its column of the tokens found.
// A tile of many rows, because the ids are read once for each: rows by tokens would be a large number.

struct Params {
  rows: u32,
  width: u32,
  first: u32,
  count: u32,
  accumulate: u32,
}

@group(0) @binding(0) var<storage, read> ids: array<u32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

var<workgroup> found: array<u32, 64>;
// Not set back between the blocks of tokens: a hit in one makes the later ones read words that may be 0.
var<workgroup> hits: atomic<u32>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let number = folded(group, groups);
  let tiles = (params.width + 63u) / 64u;
  let firstRow = number / tiles * 64u;
  if (firstRow >= params.count) {
    return;
  }
  let lastRow = min(firstRow + 64u, params.count);
  let column = number % tiles * 64u + lane;
  let inside = column < params.width;

  if (params.accumulate == 0u && inside) {
    for (var row = firstRow; row < lastRow; row++) {
      y[row * params.width + column] = 0.0;
    }
  }

  for (var block = 0u; block < params.rows; block += 2048u) {
    var answers = 0u;
    for (var k = 0u; k < 32u; k++) {
      let i = block + 64u * k + lane;
      // An id below the tile wraps around to a number beyond its rows.
      if (i < params.rows && ids[i] - params.first - firstRow < lastRow - firstRow) {
        answers |= 1u << k;
      }
    }
    found[lane] = answers;
    atomicOr(&hits, answers);
    workgroupBarrier();

    if (atomicLoad(&hits) != 0u && inside) {
      for (var word = 0u; word < 64u; word++) {
        for (var bits = found[word]; bits != 0u; bits &= bits - 1u) {
          let i = block + 64u * countTrailingZeros(bits) + word;
          y[(ids[i] - params.first) * params.width + column] += dy[i * params.width + column];
        }
      }
    }
    workgroupBarrier();
  }
}
