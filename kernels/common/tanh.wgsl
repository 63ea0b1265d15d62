// The hyperbolic tangent and its derivative. WGSL's own tanh may be off by far and is NaN on some adapters beyond 88.

// (1 - e) / (1 + e) with e = exp(-2|x|), which cannot overflow. It cancels near zero: up to 1, the continued fraction
// x / (1 + x²/(3 + x²/(5 + x²/(7 + x²/9)))) of Lambert, whose error is at most 6.2e-8 of the value, and 0 at 0.
fn hyperbolic_tangent(x: f32) -> f32 {
  let square = x * x;
  let near = x * (945.0 + square * (105.0 + square)) / (945.0 + square * (420.0 + 15.0 * square));
  let e = exp(-2.0 * abs(x));
  let far = sign(x) * (1.0 - e) / (1.0 + e);
  return select(far, near, abs(x) < 1.0);
}

// 1 - tanh² x = 4 e / (1 + e)²: nothing cancels.
fn hyperbolic_slope(x: f32) -> f32 {
  let e = exp(-2.0 * abs(x));
  return 4.0 * e / ((1.0 + e) * (1.0 + e));
}
