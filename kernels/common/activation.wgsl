// The activation functions of the networks, by number: 0 SiLU, 1 GELU with erf, 2 GELU with tanh, 3 quick GELU
// (`activationKinds` on the host). Each is written so that no intermediate value overflows for any finite x.

fn activate(kind: u32, x: f32) -> f32 {
  switch (kind) {
    case 0u: { return gated_by_sigmoid(x, x); }
    case 1u: { return gelu(x); }
    case 2u: { return gated_by_sigmoid(x, 1.5957691216 * (x + 0.044715 * x * x * x)); }
    default: { return gated_by_sigmoid(x, 1.702 * x); }
  }
}

fn activate4(kind: u32, x: vec4f) -> vec4f {
  return vec4f(activate(kind, x.x), activate(kind, x.y), activate(kind, x.z), activate(kind, x.w));
}

// x · sigmoid(z). The tanh form of GELU is one of these, as (1 + tanh u) / 2 = sigmoid(2u). The exponent stops at 80,
// where exp is 5.5e34, still finite.
fn gated_by_sigmoid(x: f32, z: f32) -> f32 {
  return x / (1.0 + exp(min(-z, 80.0)));
}

// x · Φ(x) = max(x, 0) - a · Φ(-a) with a = |x|: no cancellation on either side. Beyond 14 the tail is below the
// smallest f32. The maximum is written as a sum, which hands a NaN on; min and max drop it.
fn gelu(x: f32) -> f32 {
  let a = min(abs(x), 14.0);
  return (0.5 * x + 0.5 * abs(x)) - a * normal_tail(a);
}

// Φ(-a) = exp(-a²/2) · P(t) with t = 1 / (1 + 0.33 a), P a polynomial fitted for the least relative error on
// 0 <= a <= 14: 5.5e-8 before rounding.
fn normal_tail(a: f32) -> f32 {
  let t = 1.0 / (1.0 + 0.33 * a);
  var p = -0.020807443596453368;
  p = p * t + 0.12307920589393007;
  p = p * t - 0.2671847387924089;
  p = p * t + 0.22462907047948732;
  p = p * t - 0.056525799966367085;
  p = p * t + 0.12181885640078938;
  p = p * t + 0.11106594491494715;
  p = p * t + 0.1323027727385891;
  p = p * t + 0.1316221593006643;
  return exp(-0.5 * a * a) * (p * t);
}
