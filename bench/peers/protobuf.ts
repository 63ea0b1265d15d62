/** As much of the protocol-buffer encoding as a model file needs. https://protobuf.dev/programming-guides/encoding */

/** An encoded field. */
export type Field = Uint8Array;

const text = new TextEncoder();

/** A whole number that is not negative. */
export function integer(field: number, value: number): Field {
  return Uint8Array.from([...varint(field << 3), ...varint(value)]);
}

/** A string, bytes, or a message made of fields. */
export function block(field: number, content: string | Uint8Array | readonly Field[]): Field {
  const body = typeof content === "string" ? text.encode(content) : content instanceof Uint8Array ? content : message(content);
  return message([Uint8Array.from([...varint((field << 3) | 2), ...varint(body.length)]), body]);
}

/** Fields one behind the other. */
export function message(fields: readonly Field[]): Uint8Array {
  const all = new Uint8Array(fields.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const field of fields) {
    all.set(field, at);
    at += field.length;
  }
  return all;
}

/** Seven bits per byte, lowest first; the top bit says that more follow. */
function varint(value: number): number[] {
  const bytes: number[] = [];
  for (; value >= 128; value = Math.floor(value / 128)) bytes.push((value % 128) | 128);
  return [...bytes, value];
}
