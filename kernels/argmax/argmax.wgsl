// y[r] = the first column c at which x[r, c] is largest; 0xffffffff if that element is infinite or the row holds a NaN
//
// A workgroup owns one row; an invocation owns every 256th column of it.
//   1. each invocation keeps the best of its columns, the first of equals;
//   2. a tree in workgroup memory keeps the better of two, on a tie the lower column.
// Floats are read as bits and compared as integers of the same order: a driver may assume that no float is NaN and drop
// a test on one. A NaN becomes the largest integer of all.

struct Params {
  rows: u32,
  width: u32,
}

@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read_write> y: array<u32>;
@group(0) @binding(2) var<uniform> params: Params;

// The ranks of NaN and of both infinities.
const nan = 0xffffffffu;
const infinity = 0xff800000u;
const minusInfinity = 0x00800000u;

var<workgroup> bestRank: array<u32, 256>;
var<workgroup> bestColumn: array<u32, 256>;

// An unsigned integer that grows with the float of these bits; both zeros share one.
fn rank(bits: u32) -> u32 {
  let magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) {
    return nan;
  }
  return select(0x80000000u + magnitude, 0x80000000u - magnitude, bits > 0x7fffffffu);
}

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = folded(group, groups);
  if (row >= params.rows) {
    return;
  }
  let start = row * params.width;

  var best = 0u;
  var column = 0xffffffffu;
  for (var c = lane; c < params.width; c += 256u) {
    let candidate = rank(x[start + c]);
    if (candidate > best) {
      best = candidate;
      column = c;
    }
  }
  bestRank[lane] = best;
  bestColumn[lane] = column;
  workgroupBarrier();

  for (var half = 128u; half > 0u; half /= 2u) {
    if (lane < half) {
      let other = bestRank[lane + half];
      let own = bestRank[lane];
      if (other > own || (other == own && bestColumn[lane + half] < bestColumn[lane])) {
        bestRank[lane] = other;
        bestColumn[lane] = bestColumn[lane + half];
      }
    }
    workgroupBarrier();
  }

  if (lane == 0u) {
    let isFinite = bestRank[0] > minusInfinity && bestRank[0] < infinity;
    y[row] = select(0xffffffffu, bestColumn[0], isFinite);
  }
}
