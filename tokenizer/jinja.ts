import { Environment, Interpreter, Template } from "@huggingface/jinja";

/**
 * Renders a Jinja template as Python's jinja2 does in the environment of transformers' `apply_chat_template`.
 *
 * `@huggingface/jinja` parses and runs it (trim_blocks and lstrip_blocks are on there, too); the interpreter below adds
 * what Python does differently. Text in variables is never read as template.
 * @throws whatever the template raises, or what is wrong with it
 */
export function renderJinja(template: string, variables: Record<string, unknown>): string {
  const environment = new Environment();
  for (const [name, value] of Object.entries({ ...globals, ...variables })) environment.set(name, value);
  return String(new PythonInterpreter(environment).run(new Template(template).parsed).value);
}

const globals: Record<string, unknown> = {
  true: true,
  True: true,
  false: false,
  False: false,
  none: null,
  None: null,
  raise_exception(message: string): never {
    throw new Error(message);
  },
  range,
  strftime_now: (format: string) => strftime(new Date(), format),
};

type Node = NonNullable<Parameters<Interpreter["evaluate"]>[0]>;
type Value = ReturnType<Interpreter["evaluate"]>;

/** A node that is already evaluated, in place of an operand. */
interface Known extends Node {
  type: "Known";
  known: Value;
}

/** Filters that Python applies to `str(value)`. */
const textFilters = new Set(["trim", "upper", "lower", "capitalize", "title", "replace"]);

/** Differs from its base where a chat template meets a list in place of a string, or the other way round. */
class PythonInterpreter extends Interpreter {
  override evaluate(node: Node | undefined, environment: Environment): Value {
    switch (node?.type) {
      case "Known":
        return (node as Known).known;
      case "BinaryExpression":
        return this.#binary(node as Binary, environment);
      case "FilterExpression":
        return this.#filter(node as Filter, environment);
      default:
        return super.evaluate(node, environment);
    }
  }

  #binary(node: Binary, environment: Environment): Value {
    const operator = node.operator.value;
    if (operator !== "+" && operator !== "~") return super.evaluate(node, environment);
    let left = this.evaluate(node.left, environment);
    let right = this.evaluate(node.right, environment);
    if (operator === "+" && (isText(left) !== isText(right)) && !isUndefined(left) && !isUndefined(right)) {
      const other = isText(left) ? right : left;
      throw new TypeError(`can only concatenate text to text, got ${pythonName(other)}`);
    }
    if (operator === "~") {
      left = asText(left);
      right = asText(right);
    }
    return super.evaluate({ ...node, left: known(left), right: known(right) } as Node, environment);
  }

  #filter(node: Filter, environment: Environment): Value {
    const name = node.filter.value ?? node.filter.callee?.value ?? "";
    let operand = this.evaluate(node.operand, environment);
    if (textFilters.has(name)) operand = asText(operand);
    // Python would go through the characters: none of them has the attribute, so none is selected.
    if (name === "selectattr" && isText(operand)) operand = runtime([]);
    return super.evaluate({ ...node, operand: known(operand) } as Node, environment);
  }
}

interface Binary extends Node {
  operator: { value: string };
  left: Node;
  right: Node;
}

interface Filter extends Node {
  operand: Node;
  /** A name, or a call of one. */
  filter: { value?: string; callee?: { value?: string } };
}

function known(value: Value): Known {
  return { type: "Known", known: value };
}

/** The interpreter's own form of a plain value. */
function runtime(value: unknown): Value {
  return new Environment().set("value", value);
}

function isText(value: Value): boolean {
  return value.type === "StringValue";
}

function isUndefined(value: Value): boolean {
  return value.type === "UndefinedValue";
}

/** `str(value)` for lists and dictionaries; other values are left to the base. */
function asText(value: Value): Value {
  return Array.isArray(value.value) || value.value instanceof Map ? runtime(pythonRepr(value)) : value;
}

const pythonNames: Record<string, string> = {
  ArrayValue: "a list",
  TupleValue: "a tuple",
  ObjectValue: "a dictionary",
  IntegerValue: "a number",
  FloatValue: "a number",
  BooleanValue: "a truth value",
  NullValue: "none",
};

function pythonName(value: Value): string {
  return pythonNames[value.type] ?? value.type;
}

/** Python's `repr`, for what JSON can hold. */
function pythonRepr(value: Value): string {
  const content: unknown = value.value;
  if (Array.isArray(content)) return `[${(content as Value[]).map(pythonRepr).join(", ")}]`;
  if (content instanceof Map) {
    const entries = [...(content as Map<string, Value>)];
    return `{${entries.map(([key, item]) => `${quote(key)}: ${pythonRepr(item)}`).join(", ")}}`;
  }
  if (typeof content === "string") return quote(content);
  if (typeof content === "boolean") return content ? "True" : "False";
  return value.type === "NullValue" ? "None" : value.toString();
}

function quote(text: string): string {
  const mark = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escapes: Record<string, string> = { "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", [mark]: `\\${mark}` };
  const inner = text.replace(/[\\\n\r\t'"]/g, (character) => escapes[character] ?? character);
  const hex = (character: string) => `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
  // oxlint-disable-next-line no-control-regex
  return mark + inner.replace(/[\x00-\x1f\x7f-\xa0\xad]/g, hex) + mark;
}

/** Python's `range`, with an end to what a template can ask for. */
function range(first: number, second?: number, step = 1): number[] {
  const [from, to] = second === undefined ? [0, first] : [first, second];
  const length = Math.max(0, Math.ceil((to - from) / step));
  if (!(length <= 1e6)) throw new RangeError(`range: expected at most a million steps, got ${length}`);
  return Array.from({ length }, (_, i) => from + i * step);
}

/** Python's `strftime` in the C locale, for the directives that templates use. */
export function strftime(date: Date, format: string): string {
  const two = (value: number) => String(value).padStart(2, "0");
  const name = (options: Intl.DateTimeFormatOptions) => new Intl.DateTimeFormat("en-US", options).format(date);
  const directives: Record<string, () => string> = {
    "%Y": () => String(date.getFullYear()),
    "%y": () => two(date.getFullYear() % 100),
    "%m": () => two(date.getMonth() + 1),
    "%B": () => name({ month: "long" }),
    "%b": () => name({ month: "short" }),
    "%d": () => two(date.getDate()),
    "%A": () => name({ weekday: "long" }),
    "%a": () => name({ weekday: "short" }),
    "%H": () => two(date.getHours()),
    "%M": () => two(date.getMinutes()),
    "%S": () => two(date.getSeconds()),
    "%%": () => "%",
  };
  return format.replace(/%./g, (directive) => directives[directive]?.() ?? directive);
}
