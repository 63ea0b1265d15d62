// y[v, d] = sum over i with ids[i] == first + v of dy[i, d]  (+ y[v, d] if `accumulate`)
//
// The gradient of embedding.wgsl by its table, for the block of rows [first, first + count) of it. Ids may repeat and
// may lie outside the block. Without atomic additions: the sums are taken in the same order in every run.
// A workgroup owns one row of y; an invocation owns every 64th column of it.
//   1. unless accumulating, each invocation sets its columns to 0;
//   2. for 2,048 tokens at a time, each invocation compares every 64th id and keeps 32 answers as bits of one word;
//   3. if there is any, all read all 64 words and each adds its columns of the rows found.

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
var<workgroup> anything: atomic<u32>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = folded(group, groups);
  if (row >= params.count) {
    return;
  }
  let id = params.first + row;
  let start = row * params.width;

  if (params.accumulate == 0u) {
    for (var d = lane; d < params.width; d += 64u) {
      y[start + d] = 0.0;
    }
  }

  for (var block = 0u; block < params.rows; block += 2048u) {
    var answers = 0u;
    for (var k = 0u; k < 32u; k++) {
      let i = block + 64u * k + lane;
      if (i < params.rows && ids[i] == id) {
        answers |= 1u << k;
      }
    }
    if (lane == 0u) {
      atomicStore(&anything, 0u);
    }
    workgroupBarrier();
    found[lane] = answers;
    atomicOr(&anything, answers);
    workgroupBarrier();

    if (atomicLoad(&anything) != 0u) {
      for (var word = 0u; word < 64u; word++) {
        for (var bits = found[word]; bits != 0u; bits &= bits - 1u) {
          let source = (block + 64u * countTrailingZeros(bits) + word) * params.width;
          for (var d = lane; d < params.width; d += 64u) {
            y[start + d] += dy[source + d];
          }
        }
      }
    }
    workgroupBarrier();
  }
}
