// Weight elements stored as bfloat16 (the upper half of an f32), two to a u32, the first in the low half.
alias Weight2 = u32;
alias Weight4 = vec2u;

fn weight2(stored: Weight2) -> vec2f {
  return vec2f(bitcast<f32>(stored << 16u), bitcast<f32>(stored & 0xffff0000u));
}

fn weight4(stored: Weight4) -> vec4f {
  return vec4f(weight2(stored.x), weight2(stored.y));
}
