// y = a · I + b · x + c · x2, matrices of n rows and n columns, n a multiple of 4
//
// With x2 = x · x, a polynomial of a matrix. A workgroup owns a row, an invocation every 64th group of four elements of it.

struct Params {
  n: u32,
  a: f32,
  b: f32,
  c: f32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> x2: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;
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
  let quads = params.n / 4u;
  for (var quad = lane; quad < quads; quad += 64u) {
    let i = row * quads + quad;
    let column = 4u * quad + vec4u(0u, 1u, 2u, 3u);
    y[i] = select(vec4f(), vec4f(params.a), column == vec4u(row)) + (params.b * x[i] + params.c * x2[i]);
  }
}
