/** How a drawing lies in its square: size, place, rotation, shear, mirror image. */
import type { Random } from "llava-webgpu/train";
import { between, chance } from "./lots.ts";

/** The map from the square to the drawing, both of coordinates -1..1: (x, y) -> (a x + b y + c, d x + e y + f). */
export type Pose = readonly [a: number, b: number, c: number, d: number, e: number, f: number];

export interface PoseOptions {
  /** Smallest and largest share of the square's side that the drawing takes. */
  readonly scale: readonly [number, number];
  /** Whether it may be mirrored. */
  readonly flippable: boolean;
  /** Only moved, scaled and turned a little. */
  readonly calm?: boolean;
}

/** The whole drawing in the whole square. */
export const upright: Pose = [1, 0, 0, 0, 1, 0];

/** A random pose that leaves the drawing inside its square, but for a corner. */
export function randomPose(random: Random, { scale: [smallest, largest], flippable, calm = false }: PoseOptions): Pose {
  const scale = between(random, smallest, largest);
  const aspect = calm ? 1 : Math.exp(between(random, -0.08, 0.08));
  const angle = chance(random, 0.6) ? between(random, -0.2, 0.2) * (calm ? 0.4 : 1) : 0;
  const shear = !calm && chance(random, 0.4) ? between(random, -0.12, 0.12) : 0;
  const mirror = flippable && chance(random, 0.5) ? -1 : 1;
  const room = Math.max(0, 1 - scale) + 0.04;
  const [right, down] = [between(random, -room, room), between(random, -room, room)];
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const a = mirror * (cos + shear * sin) / (scale * aspect);
  const b = mirror * (sin + shear * cos) / (scale * aspect);
  const d = -sin * aspect / scale;
  const e = cos * aspect / scale;
  return [a, b, -a * right - b * down, d, e, -d * right - e * down];
}
