// y = a · I + b · x + c · x2, matrices of n rows and n columns
//
// With x2 = x · x, a polynomial of a matrix. A workgroup owns a row, an invocation every 64th element of it.

struct Params {
  n: u32,
  a: f32,
  b: f32,
  c: f32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> x2: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = folded(group, groups);
  if (row >= params.n) {
    return;
  }
  for (var column = lane; column < params.n; column += 64u) {
    let i = row * params.n + column;
    y[i] = select(0.0, params.a, column == row) + (params.b * x[i] + params.c * x2[i]);
  }
}
