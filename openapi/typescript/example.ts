// Asks a server whom to tell about an address. It is compiled by the tests, so
// it shows how the types are used and fails when they no longer fit.
import type { components, operations } from "./rollcall";

type Answer = components["schemas"]["Answer"];
type Problem = components["schemas"]["Problem"];
type Asked = operations["lookup"]["parameters"]["query"];

export async function lookup(server: string, asked: Asked, token?: string): Promise<Answer> {
  const query = new URLSearchParams({ q: asked.q });
  if (asked.use) query.set("use", asked.use);
  const response = await fetch(`${server}/v1/lookup?${query}`, {
    headers: token ? { Authorization: `Bearer ${token}` } : {},
  });
  if (!response.ok) {
    const problem = (await response.json()) as Problem;
    throw new Error(`${problem.status} ${problem.code}: ${problem.detail ?? problem.title}`);
  }
  return (await response.json()) as Answer;
}

/** The first contact that works, with what was proven about it. */
export function best(answer: Answer): string | undefined {
  for (const { team, contact, evidence } of answer.candidates) {
    if (contact === null || evidence === null) continue;
    if (evidence.state !== "failed") return `${team.name}: ${contact.value} (${evidence.level_name} ${evidence.at})`;
  }
  return undefined;
}
