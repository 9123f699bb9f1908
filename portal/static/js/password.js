// The rules of a new password, live. A guide: the server decides, by the same rules and a larger dictionary.

const QUIET = 600; // milliseconds after the last key before anything is said aloud
const LONGEST = 128;
const JUDGED = 24; // as on the server: estimating grows fast with length

/** Watch one field (the element around label, input, meter and rules). */
export function watch(field) {
  const { dataset } = field;
  const input = field.querySelector("input");
  const texts = JSON.parse(field.querySelector("[data-strength-texts]").textContent);
  const meter = field.querySelector("meter");
  const words = field.querySelector("[data-strength-words]");
  const status = field.querySelector("[data-strength-status]");
  const rules = [...field.querySelectorAll("[data-rule]")];
  const number = new Intl.NumberFormat(document.documentElement.lang);
  const minimum = Number(dataset.minimumLength);
  const unknown = !dataset.personal && !dataset.words; // whose password it is
  let estimate;
  let pause;
  let said = "";

  const tests = {
    length: (text) => [...text].length >= minimum && [...text].length <= LONGEST,
    lower: (text) => /\p{Lowercase}/u.test(text),
    upper: (text) => /\p{Uppercase}/u.test(text),
    digit: (text) => /\p{Nd}/u.test(text),
    special: (text) => /[^\p{L}\p{N}]/u.test(text),
    personal: isImpersonal,
    guessable: (text, strength) => strength && strength.score >= Number(dataset.minimumStrength),
  };

  /** Name, username and address, whole and in parts of three characters and more, and what the house is called; the longest first. */
  function personalWords() {
    const ids = dataset.personal.split(" ").filter(Boolean);
    const values = [...ids.map((id) => document.getElementById(id)?.value ?? ""), ...dataset.words.split("\n")];
    const parts = values.flatMap((value) => [value, value.split("@")[0], ...value.split(/[\s@._+-]+/)]);
    return [...new Set([...parts, ...dataset.houseWords.split("\n")].map((part) => part.trim().toLowerCase()))]
      .filter((part) => [...part].length >= 3)
      .sort((one, other) => other.length - one.length);
  }

  /** What is left beside one's own words must still be a password. */
  function isImpersonal(text) {
    const folded = text.toLowerCase();
    const rest = personalWords().reduce((left, word) => left.replaceAll(word, ""), folded);
    return rest === folded || [...rest].length >= minimum;
  }

  function look() {
    const text = input.value.normalize("NFKC");
    const strength = text && estimate ? estimate(text, personalWords()) : null;
    let met = 0;
    let known = 0;
    for (const rule of rules) {
      const test = tests[rule.dataset.rule];
      if (!test || (rule.dataset.rule === "guessable" && !estimate) || (rule.dataset.rule === "personal" && unknown)) continue;
      const kept = Boolean(text) && Boolean(test(text, strength));
      known += 1;
      met += kept;
      rule.dataset.state = kept ? "met" : "unmet";
      rule.querySelector(".rule-said")?.remove();
      if (kept) {
        rule.append(Object.assign(document.createElement("span"), { className: "rule-said visually-hidden", textContent: texts.met }));
      }
    }

    if (met && met === known) input.dispatchEvent(new Event("right"));

    field.querySelector("[data-strength]").hidden = !strength;
    let sentence = "";
    if (strength) {
      const weak = strength.score < Number(dataset.minimumStrength);
      const warning = texts.warnings[strength.warning] ?? (weak ? texts.advice : "");
      meter.value = Math.max(strength.score, 0.4);
      sentence = [texts.strength.replace("{level}", texts.levels[strength.score]), weak ? warning : ""].join(" ").trim();
      words.textContent = sentence;
    }
    clearTimeout(pause);
    pause = setTimeout(() => {
      const progress = text && texts.progress.replace("{met}", number.format(met)).replace("{all}", number.format(known));
      const now = [sentence, progress].filter(Boolean).join(" ");
      if (now !== said) status.textContent = said = now;
    }, QUIET);
  }

  input.addEventListener("input", look);
  for (const id of dataset.personal.split(" ").filter(Boolean)) {
    document.getElementById(id)?.addEventListener("change", look);
  }
  look();

  load(dataset.core, dataset.common).then((made) => {
    estimate = made;
    look();
  }, () => {}); // without the dictionary the other rules stay live, and the server knows all of them
}

let loading;

/** The estimator and its dictionary, once, when a new password is first typed. */
function load(core, common) {
  loading ??= Promise.all([core, common].map(addScript)).then(() => {
    const { core: estimator, "language-common": dictionary } = window.zxcvbnts;
    const factory = new estimator.ZxcvbnFactory({
      dictionary: dictionary.dictionary,
      graphs: dictionary.adjacencyGraphs,
    });
    return (text, personal) => {
      const result = factory.check([...text].slice(0, JUDGED).join(""), personal);
      return { score: result.score, warning: result.feedback.warning };
    };
  });
  return loading;
}

function addScript(src) {
  return new Promise((resolve, reject) => {
    document.head.append(Object.assign(document.createElement("script"), { src, async: false, onload: resolve, onerror: reject }));
  });
}
