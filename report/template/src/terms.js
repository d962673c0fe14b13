// Words with a definition one hover (or one focus, or one tap) away.
import { h } from "./dom.js";

export const definitions = {
  "harm": "How bad a flip is. With decisions: the share of samples on which the network's decision changes, or its output is NaN or infinite. With a score alone: how much worse the score gets, 0 where it gets better.",
  "critical bit": "A bit whose flip does harm on at least one of the samples.",
  "critical": "A sample on which the flip changes the network's decision against the golden run (SDC-1), or meets the condition that --critical gave.",
  "non-critical": "The outputs change, the decision does not.",
  "masked": "Every bit of the outputs is as in the golden run.",
  "DUE": "Detected unrecoverable error: NaN or infinity in the outputs.",
  "golden run": "The network without faults, on the same samples.",
  "interval": "Where the true rate lies with the confidence that the campaign was given, 95% unless it says otherwise: Wilson's interval over faults, narrowed where a large part of a finite space was drawn. Samples are taken as given. No interval is shown where every fault was run.",
  "bit": "Position in the stored word; 0 is the least significant.",
  "MSB": "Most significant bit: the sign, in two's complement and in floating point.",
  "fault space": "All stored bits that a fault may strike.",
  "share of all harm": "Harm of these faults, summed, divided by the harm of all faults that were run.",
  "harm left": "Harm of the bits that are not protected, divided by the harm of all bits that were run. Bits are chosen and judged on the same samples.",
  "Spearman's ρ": "Rank correlation between the ranking's order and the size of the change of score: 1 is the same order.",
  "area": "What triple modular redundancy adds for a protected bit, in areas of one register: two more registers and a voter of 0.6, unless you say otherwise. Relative to one register for every bit of the fault space.",
  "found on average": "Mean over all flips of the share of Σ|change of score| that the ranking has found by then; 1 is the best.",
  "bits to protect": "Bits, the most harmful first, that leave every network with the same error: a tenth of the least that any of them has without protection. Empty where not every fault was run.",
  "Pareto front": "No other network here is better in bits, score, bits to protect and the columns given (lower is better), without being worse in one of them.",
  "score error left": "As protect printed it: the share of all worsening of the score by single flips that lies on bits without protection.",
  "LVF": "Layer vulnerability factor: mean over the layer's channels of the share of faults that matter, by error-propagation analysis without injection (DeepVigor+).",
  "MVF": "Model vulnerability factor: mean over layers of their LVF. Its interval adds the layers' half-widths in quadrature.",
  "CVF": "Channel vulnerability factor: share of a channel's faults that matter, over samples.",
  "EDM": "Error distribution map: faults counted by how far they move the target, in powers of two.",
  "VVR": "Vulnerability value range: the errors that the target bears before the decision changes; outside it they matter.",
  "slice": "A layer with all that follows it up to the next weighted layer (SliceFI).",
  "principal axes": "The two directions in which the expected outputs vary most.",
  "index": "Element of the tensor as the model file stores it, counted in C order.",
  "identity": "Digest of model, samples and every option that affects the result; the same identity means the same campaign.",
};

let counter = 0;

/** The word, underlined, with its definition. */
export function term(word, text = word) {
  const definition = definitions[word];
  if (!definition) throw new Error(`no definition of ${word}`);
  const id = `definition-${++counter}`;
  return h("span.term", { tabindex: 0, "aria-describedby": id, "data-definition": definition }, text,
           h("span.hidden", { id }, definition));
}

/** Shows definitions beside their words. */
export function watchTerms() {
  const tooltip = document.getElementById("tooltip");
  const show = (event) => {
    const word = event.target.closest?.(".term");
    if (!word) return;
    tooltip.textContent = word.dataset.definition;
    tooltip.hidden = false;
    const box = word.getBoundingClientRect();
    const { width, height } = tooltip.getBoundingClientRect();
    const left = Math.max(8, Math.min(box.left, innerWidth - width - 8));
    const below = box.bottom + 8 + height < innerHeight;
    tooltip.style.left = `${left}px`;
    tooltip.style.top = `${below ? box.bottom + 6 : box.top - height - 6}px`;
  };
  const hide = () => { tooltip.hidden = true; };
  document.addEventListener("pointerover", show);
  document.addEventListener("focusin", show);
  document.addEventListener("pointerout", (event) => { if (event.target.closest?.(".term")) hide(); });
  document.addEventListener("focusout", hide);
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
  addEventListener("scroll", hide, { passive: true });
}

export function glossary() {
  return h("dl.glossary", Object.entries(definitions).flatMap(([word, text]) => [h("dt", word), h("dd", text)]));
}
