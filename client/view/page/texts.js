/** All words of the page in one language, and how it writes numbers and dates. */
export class Texts {
  constructor(words, language) {
    this.words = words;
    this.language = language;
  }

  /** The text of this name, `{n}` and the like replaced. */
  say(name, values = {}) {
    const text = this.words[name] ?? name;
    return text.replace(/\{(\w+)\}/g, (whole, key) => values[key] ?? whole);
  }

  has(name) {
    return name in this.words;
  }

  /** A number with as many digits as tell it apart; whole ones stay whole. */
  number(value, digits = 3) {
    if (typeof value !== "number") return String(value);
    const whole = Number.isInteger(value) || Math.abs(value) >= 10 ** digits;
    const form = whole ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: digits };
    return new Intl.NumberFormat(this.language, form).format(value);
  }

  percent(share) {
    return new Intl.NumberFormat(this.language, { style: "percent", maximumFractionDigits: 0 }).format(share);
  }

  /** Of an ISO time, in the reader's own time zone. */
  date(iso) {
    const when = new Date(iso);
    if (Number.isNaN(when.getTime())) return iso;
    return new Intl.DateTimeFormat(this.language, { dateStyle: "long", timeStyle: "short" }).format(when);
  }
}

/** Loads the page's language; `files` is where scripts and texts lie. */
export async function loadTexts(files, language) {
  const answer = await fetch(`${files}texts-${language}.json`);
  return new Texts(await answer.json(), language);
}
