// y[i] = x[i] after `steps` times v -> v · factor + term, on eight vectors at once: how fast this adapter multiplies and adds
// when no memory is in the way.
//
// A workgroup owns 64 vectors of y, an invocation one of them. Its eight chains do not wait for each other:
// 8 chains x 4 components x 2 operations = 64 floating-point operations per step. The numbers come from `params`, so that no
// compiler can know them; all chains are summed up, so that none can be dropped.

struct Params {
  vectors: u32,
  steps: u32,
  factor: f32,
  term: f32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = folded(group, groups) * 64 + lane;
  if (i >= params.vectors) {
    return;
  }
  let factor = vec4f(params.factor);
  let term = vec4f(params.term);
  var a = x[i];
  var b = a + 1;
  var c = a + 2;
  var d = a + 3;
  var e = a + 4;
  var f = a + 5;
  var g = a + 6;
  var h = a + 7;
  for (var n = 0u; n < params.steps; n++) {
    a = fma(a, factor, term);
    b = fma(b, factor, term);
    c = fma(c, factor, term);
    d = fma(d, factor, term);
    e = fma(e, factor, term);
    f = fma(f, factor, term);
    g = fma(g, factor, term);
    h = fma(h, factor, term);
  }
  y[i] = ((a + b) + (c + d)) + ((e + f) + (g + h));
}
