// The derivatives of the functions of activation.wgsl, by the same numbers. Beyond ±100 they are 0 or 1 in f32: the
// argument is clamped there, so that no intermediate value overflows.

fn activation_slope(kind: u32, x: f32) -> f32 {
  let z = clamp(x, -100.0, 100.0);
  switch (kind) {
    case 0u: { return sigmoid_slope(z, z, 1.0); }
    case 1u: { return gelu_slope(z); }
    case 2u: {
      return sigmoid_slope(z, 1.5957691216 * (z + 0.044715 * z * z * z), 1.5957691216 * (1.0 + 0.134145 * z * z));
    }
    default: { return sigmoid_slope(z, 1.702 * z, 1.702); }
  }
}

fn activation_slope4(kind: u32, x: vec4f) -> vec4f {
  return vec4f(
    activation_slope(kind, x.x),
    activation_slope(kind, x.y),
    activation_slope(kind, x.z),
    activation_slope(kind, x.w),
  );
}

// (x · σ(z))' = σ(z) + x z' σ(z) σ(-z). With e = exp(-|z|), σ(|z|) = 1 / (1 + e) and σ(-|z|) = e / (1 + e): nothing
// cancels on either side.
fn sigmoid_slope(x: f32, z: f32, dz: f32) -> f32 {
  let e = exp(-abs(z));
  let share = 1.0 / (1.0 + e);
  return share * (select(e, 1.0, z >= 0.0) + x * dz * (e * share));
}

// (x · Φ(x))' = Φ(x) + x · exp(-x²/2) / sqrt(2π), with Φ(x) = 1 - Φ(-x) for positive x.
fn gelu_slope(x: f32) -> f32 {
  let a = min(abs(x), 14.0);
  let tail = normal_tail(a);
  let rest = 0.3989422804 * a * exp(-0.5 * a * a) - tail;
  return select(-rest, 1.0 + rest, x >= 0.0);
}
