/** The page's elements, filled from its state. */
import { isAnswering, type Picture, type Sight, type State, type Timings } from "./state.ts";
import { drawTiles } from "./tiles.ts";
import { answerNote, modelStatus, sightCaption, timingRows } from "./words.ts";

/** A sample picture with a question about it. */
export interface Sample {
  readonly picture: Picture;
  readonly question: string;
}

/** An element of index.html. */
export function element<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no element #${id}`);
  return found as T;
}

/** Returns the function that shows a state. Only what depends on changed parts is built anew. */
export function createView(): (state: State) => void {
  let drawn: { sight?: Sight; timings?: Timings } = {};
  return (state) => {
    showModel(state);
    showPicture(state);
    showAnswer(state);
    const { sight } = state;
    const timings = state.answer?.timings;
    if (sight !== drawn.sight) drawTiles(element("tiles"), sight);
    if (timings !== drawn.timings) showTimings(timings);
    drawn = { sight, timings };
  };
}

function showModel(state: State): void {
  const { model, loading, error } = state;
  element("model-name").textContent = loading?.name ?? model?.name ?? "The model";
  element("model-status").textContent = modelStatus(state);
  const progress = element<HTMLProgressElement>("progress");
  progress.hidden = !loading;
  if (loading && loading.share > 0) progress.value = loading.share;
  else progress.removeAttribute("value");
  element("adapter").hidden = !model;
  element("adapter-name").textContent = model?.adapter ?? "";
  element("adapter-note").textContent = model?.software
    ? "A software adapter: it computes on the CPU, slower than a GPU."
    : "";
  element("error").hidden = !error;
  element("error").textContent = error ?? "";
}

function showPicture(state: State): void {
  const { picture } = state;
  const image = element<HTMLImageElement>("picture");
  image.hidden = !picture;
  if (picture && image.getAttribute("src") !== picture.url) image.src = picture.url;
  if (!picture) image.removeAttribute("src");
  image.alt = picture ? `The chosen picture: ${picture.name}` : "";
  element("drop-hint").hidden = picture !== undefined;
  element<HTMLButtonElement>("remove").disabled = !picture;
  for (const button of element("samples").querySelectorAll("button")) {
    button.setAttribute("aria-pressed", String(button.dataset.url === picture?.url));
  }
  element("caption").textContent = sightCaption(state);
}

function showAnswer(state: State): void {
  const { answer, loading } = state;
  const answering = isAnswering(state);
  element("asked").textContent = answer?.question ?? "";
  // Text is appended, so that a screen reader reads only what is new.
  const place = element("answer");
  const text = answer?.text ?? "";
  const shown = place.textContent;
  if (shown === "" || !text.startsWith(shown)) place.textContent = text;
  else if (text.length > shown.length) place.append(text.slice(shown.length));
  place.classList.toggle("answering", answering);
  element("answer-note").textContent = answerNote(answer, loading !== undefined);
  element("go").textContent = answering ? "Stop" : "Ask";
}

function showTimings(timings: Timings | undefined): void {
  const list = element("timings");
  list.hidden = !timings;
  list.replaceChildren(
    ...(timings ? timingRows(timings) : []).map(([name, value]) => {
      const row = document.createElement("div");
      row.append(textElement("dt", name), textElement("dd", value));
      return row;
    }),
  );
}

/** Fills the row of sample pictures. */
export function showSamples(samples: readonly Sample[], onChoose: (sample: Sample) => void): void {
  const buttons = samples.map((sample) => {
    const { name, url } = sample.picture;
    const image = document.createElement("img");
    image.src = url;
    image.alt = name;
    const button = document.createElement("button");
    button.type = "button";
    button.title = name;
    button.dataset.url = url;
    button.append(image);
    button.addEventListener("click", () => onChoose(sample));
    return button;
  });
  element("samples").replaceChildren(...buttons);
}

/** Fills the row of questions to click on. */
export function showQuestions(questions: readonly string[], onChoose: (question: string) => void): void {
  const buttons = questions.map((question) => {
    const button = textElement("button", question);
    button.type = "button";
    button.addEventListener("click", () => onChoose(question));
    return button;
  });
  element("questions").replaceChildren(...buttons);
}

function textElement<K extends keyof HTMLElementTagNameMap>(tag: K, text: string): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  made.textContent = text;
  return made;
}
