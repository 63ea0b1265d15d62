/**
 * The activations that this library computes: "gelu" is the exact one, 0.5 x (1 + erf(x / sqrt 2)); "gelu-tanh" its
 * approximation 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x³))); "quick-gelu" is x sigmoid(1.702 x); "silu" is
 * x sigmoid(x).
 */
export type Activation = "gelu" | "gelu-tanh" | "quick-gelu" | "silu";

/** Activations by the names that transformers gives them (its `ACT2FN`); several names stand for one formula. */
export const activationNames: Readonly<Record<string, Activation>> = {
  gelu: "gelu",
  gelu_python: "gelu",
  gelu_new: "gelu-tanh",
  gelu_fast: "gelu-tanh",
  gelu_pytorch_tanh: "gelu-tanh",
  quick_gelu: "quick-gelu",
  silu: "silu",
  swish: "silu",
};
