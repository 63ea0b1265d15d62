// y[i] = x[2i] and x[2i + 1] as IEEE half precision, the first in the low half; rounded to nearest, ties to even
//
// An invocation owns one word of y; the upper half of the last word of an odd size is zero.
// The rounding is done on the bits: WGSL leaves that of pack2x16float to the driver, and what it gives beyond 65,504.
// x is read as u32, since a load as f32 may flush subnormal numbers.

struct Params {
  size: u32,
}

@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read_write> y: array<u32>;
@group(0) @binding(2) var<uniform> params: Params;

// value / 2^shift, rounded to nearest, ties to even; shift >= 1.
fn divided(value: u32, shift: u32) -> u32 {
  let odd = (value >> shift) & 1u;
  return (value + (1u << (shift - 1u)) - 1u + odd) >> shift;
}

// The half-precision bits of a number given by its f32 bits.
fn halved(bits: u32) -> u32 {
  let sign = (bits >> 16u) & 0x8000u;
  let magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) {
    return 0x7e00u; // not a number
  }
  if (magnitude >= 0x47800000u) {
    return sign | 0x7c00u; // 2^16 and more: infinity
  }
  if (magnitude >= 0x38800000u) {
    // 2^-14 and more: the exponent's bias goes from 127 to 15, 13 bits of the fraction go. A carry moves into the
    // exponent, from 65,520 on to infinity.
    return sign | divided(magnitude - (112u << 23u), 13u);
  }
  // A subnormal result counts in units of 2^-24; below a half of that it is zero.
  let exponent = magnitude >> 23u;
  if (exponent < 102u) {
    return sign;
  }
  return sign | divided((magnitude & 0x7fffffu) | 0x800000u, 126u - exponent);
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (folded(group, groups) * 64u + lane) * 2u;
  if (i >= params.size) {
    return;
  }
  var word = halved(x[i]);
  if (i + 1u < params.size) {
    word |= halved(x[i + 1u]) << 16u;
  }
  y[i / 2u] = word;
}
