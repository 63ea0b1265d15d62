// Rotary position embedding, half-split form                                  Su et al. 2021; as transformers' Llama
//
//   y[r, h, j]        = x[r, h, j] · cos θ - x[r, h, j + n] · sin θ
//   y[r, h, j + n]    = x[r, h, j + n] · cos θ + x[r, h, j] · sin θ          n = headSize / 2, j < n, θ = θ[p, j]
//
// Row r of x has position p = position + r mod sequence. table [positions, headSize] holds cos θ | sin θ, made on the
// CPU in double precision: WGSL's sin and cos lose all digits at large angles.
// With `inverse` it rotates by -θ: back again, and since a rotation's transpose is its inverse, the gradient too.
// x and y are columns of wider matrices: head h of row r begins at r · xStride + xOffset + h · headSize, and in y at
// (yRow + r) · yStride + yOffset + h · headSize. So it reads out of a fused q|k|v product and writes into a cache.
//
// An invocation owns one pair (j, j + n) of one head of one row.

struct Params {
  rows: u32,
  heads: u32,
  headSize: u32,
  xStride: u32,
  xOffset: u32,
  yStride: u32,
  yOffset: u32,
  yRow: u32,
  position: u32,
  sequence: u32,
  inverse: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> table: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = folded(group, groups) * 64u + lane;
  let half = params.headSize / 2u;
  let pairs = params.heads * half;
  if (i >= params.rows * pairs) {
    return;
  }
  let row = i / pairs;
  let head = (i % pairs) / half;
  let j = i % half;

  let angle = (params.position + row % params.sequence) * params.headSize + j;
  let cosine = table[angle];
  let sine = select(table[angle + half], -table[angle + half], params.inverse != 0u);

  let xAt = row * params.xStride + params.xOffset + head * params.headSize + j;
  let first = x[xAt];
  let second = x[xAt + half];

  let yAt = (params.yRow + row) * params.yStride + params.yOffset + head * params.headSize + j;
  y[yAt] = first * cosine - second * sine;
  y[yAt + half] = second * cosine + first * sine;
}
