// The number of this workgroup in a dispatch that the host folded to (x, y). The last row may be partly surplus:
// a kernel compares its number with the count that it derives from its parameters.
fn folded(group: vec3u, groups: vec3u) -> u32 {
  return group.y * groups.x + group.x;
}
