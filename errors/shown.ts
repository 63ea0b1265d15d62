/** A value as a message shows it: one line, in JSON where there is any, in at most 80 characters. */
export function shown(value: unknown): string {
  if (value === undefined) return "nothing";
  if (typeof value === "number" || typeof value === "bigint") return String(value);
  if (ArrayBuffer.isView(value)) return `${value.constructor.name} of ${value.byteLength} bytes`;
  let text: string;
  try {
    text = JSON.stringify(value) ?? `a ${typeof value}`;
  } catch {
    text = "something that is not JSON";
  }
  const line = text.replace(/[\u2028\u2029]/g, " ");
  return line.length > 80 ? `${line.slice(0, 77)}...` : line;
}
