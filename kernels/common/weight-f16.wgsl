// Weight elements stored as IEEE half precision, two to a u32, the first in the low half.
alias Weight2 = u32;
alias Weight4 = vec2u;

fn weight2(stored: Weight2) -> vec2f {
  return unpack2x16float(stored);
}

fn weight4(stored: Weight4) -> vec4f {
  return vec4f(unpack2x16float(stored.x), unpack2x16float(stored.y));
}
