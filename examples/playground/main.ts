/** The playground: connects what a person does with the model (session.ts), the state and the page (view.ts). */
import { LlavaError } from "llava-webgpu";
import { Session, type ModelSource } from "./session.ts";
import { initialState, isAnswering, type PageEvent, type Picture, reduce } from "./state.ts";
import { pickedFolder, readTransfer } from "./transfer.ts";
import { createView, element, type Sample, showQuestions, showSamples } from "./view.ts";

const folder = new URL("emoji-llava/", document.baseURI);
const embedded: ModelSource = { name: "emoji-llava", files: folder };

/** Forms of question that the embedded model was trained on. */
const questions = [
  "What is this?",
  "What kind of thing is this?",
  "What are the main colours?",
  "Can you eat it?",
  "Describe the picture.",
  "What does the sign say?",
];

const session = new Session();
const render = createView();
const questionField = element<HTMLTextAreaElement>("question");
let state = initialState;
/** Ends the preparation of a picture that is no longer the chosen one. */
let looking = new AbortController();
let answering = new AbortController();

function dispatch(event: PageEvent): void {
  state = reduce(state, event);
  render(state);
}

/** What the library throws on purpose is written for people; anything else keeps its class in front. */
const lineOf = (error: unknown): string => (error instanceof LlavaError ? error.message : String(error));

async function openModel(source: ModelSource): Promise<void> {
  answering.abort();
  dispatch({ type: "model opening", name: source.name });
  try {
    const model = await session.open(source, ({ done, total }) => {
      if (total > 0 && state.loading?.name === source.name) dispatch({ type: "model read", share: done / total });
    });
    dispatch({ type: "model opened", model });
    if (state.picture) await look(state.picture);
  } catch (error) {
    // Ended by the next one, which has taken over the page.
    if (error instanceof DOMException && error.name === "AbortError") return;
    dispatch({ type: "model refused", error: lineOf(error) });
  }
}

/** Shows the tiles of a picture, or says why it cannot be one. */
async function look(picture: Picture): Promise<void> {
  looking.abort();
  looking = new AbortController();
  const { signal } = looking;
  try {
    const sight = await session.look(picture.source, signal);
    if (sight && !signal.aborted) dispatch({ type: "picture seen", sight });
  } catch (error) {
    if (signal.aborted) return;
    forgetPicture();
    dispatch({ type: "picture refused", error: lineOf(error) });
  }
}

function choosePicture(picture: Picture): void {
  forgetPicture();
  dispatch({ type: "picture chosen", picture });
  void look(picture);
}

function chooseFile(file: File): void {
  choosePicture({ name: file.name, source: file, url: URL.createObjectURL(file) });
}

function forgetPicture(): void {
  looking.abort();
  if (state.picture?.source instanceof Blob) URL.revokeObjectURL(state.picture.url);
}

async function ask(): Promise<void> {
  const prompt = questionField.value.trim();
  if (prompt === "") {
    questionField.focus();
    return;
  }
  answering = new AbortController();
  const { signal } = answering;
  dispatch({ type: "asked", question: prompt });
  try {
    const onText = (text: string): void => dispatch({ type: "text", text });
    const answer = await session.ask({ prompt, picture: state.picture?.source, signal, onText });
    dispatch({ type: "answered", ...answer });
  } catch (error) {
    if (signal.aborted) dispatch({ type: "answered", status: "stopped" });
    else dispatch({ type: "answer failed", error: lineOf(error) });
  }
}

async function take(data: DataTransfer): Promise<void> {
  try {
    const transfer = await readTransfer(data);
    if (!transfer) return;
    if ("picture" in transfer) chooseFile(transfer.picture);
    else await openModel(transfer.model);
  } catch (error) {
    dispatch({ type: "trouble", error: lineOf(error) });
  }
}

/** The embedded model's samples, one for each picture. */
async function fetchSamples(): Promise<Sample[]> {
  const place = new URL("samples/", folder);
  const response = await fetch(new URL("samples.json", place));
  if (!response.ok) throw new Error(`the sample pictures cannot be fetched: status ${response.status}`);
  const list = (await response.json()) as { image: string; question: string }[];
  const firsts = list.filter(({ image }, i) => list.findIndex((other) => other.image === image) === i);
  return firsts.map(({ image, question }) => {
    const source = new URL(image, place);
    return { question, picture: { name: image, source, url: source.href } };
  });
}

function chooseSample({ picture, question }: Sample): void {
  questionField.value = question;
  choosePicture(picture);
}

element("form").addEventListener("submit", (event) => {
  event.preventDefault();
  if (isAnswering(state)) answering.abort();
  else void ask();
});
questionField.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  if (!isAnswering(state)) void ask();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") answering.abort();
});

element<HTMLInputElement>("file").addEventListener("change", ({ currentTarget }) => {
  const input = currentTarget as HTMLInputElement;
  if (input.files?.[0]) chooseFile(input.files[0]);
  // So that choosing the same again is a change, too.
  input.value = "";
});
element<HTMLInputElement>("folder").addEventListener("change", ({ currentTarget }) => {
  const input = currentTarget as HTMLInputElement;
  const picked = input.files && pickedFolder(input.files);
  if (picked) void openModel(picked);
  input.value = "";
});
element("embedded").addEventListener("click", () => void openModel(embedded));
element("remove").addEventListener("click", () => {
  forgetPicture();
  dispatch({ type: "picture removed" });
  questionField.focus();
});

document.addEventListener("dragover", (event) => {
  // Dragged text still goes into the question.
  if (!event.dataTransfer?.types.includes("Files")) return;
  event.preventDefault();
  document.body.classList.add("dragging");
});
document.addEventListener("dragleave", (event) => {
  if (event.relatedTarget === null) document.body.classList.remove("dragging");
});
document.addEventListener("drop", (event) => {
  document.body.classList.remove("dragging");
  if (!event.dataTransfer?.types.includes("Files")) return;
  event.preventDefault();
  void take(event.dataTransfer);
});
document.addEventListener("paste", (event) => {
  if (!event.clipboardData?.files.length) return;
  event.preventDefault();
  void take(event.clipboardData);
});

showQuestions(questions, (question) => {
  questionField.value = question;
  if (!isAnswering(state)) void ask();
});
void openModel(embedded);
try {
  const samples = await fetchSamples();
  showSamples(samples, chooseSample);
  if (!state.picture && samples.length > 0) chooseSample(samples[0]);
} catch (error) {
  dispatch({ type: "trouble", error: lineOf(error) });
}
