// Weight elements stored as f32, read two or four at a time.
alias Weight2 = vec2f;
alias Weight4 = vec4f;

fn weight2(stored: Weight2) -> vec2f {
  return stored;
}

fn weight4(stored: Weight4) -> vec4f {
  return stored;
}
