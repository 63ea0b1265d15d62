/** A shader's source text, inlined by Vite. */
declare module "*.wgsl?raw" {
  const code: string;
  export default code;
}
