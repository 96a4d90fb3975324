// Greetings, which know nothing of HTTP but the status of what is wrong.

const HELLO = { en: "Hello", fr: "Bonjour" };

/** What a client is told in place of what it wanted. */
export class Problem extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** Greets somebody in a language. */
export function greet(wish) {
  const { name, language = "en" } = wish ?? {};
  if (typeof name !== "string" || name === "") {
    throw new Problem(422, "name is empty");
  }
  if (!Object.hasOwn(HELLO, language)) {
    throw new Problem(422, `there is no greeting in this language; take one of ${Object.keys(HELLO)}`);
  }
  return { text: `${HELLO[language]}, ${name}!`, language };
}
