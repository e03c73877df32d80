// Shows which services are ready. The list comes from services.json, so the page holds no names of its own.

const EVERY_MILLISECONDS = 10_000;
const PATIENCE_MILLISECONDS = 5_000;

const list = document.querySelector("#services");
const summary = document.querySelector("#summary");
const template = document.querySelector("#tile");

/** What one service says of itself: { state: "ready" | "failing", words, reason }. Never throws. */
async function ask(service) {
  const started = performance.now();
  try {
    const answer = await fetch(`/api/${service}/health/ready`, {
      cache: "no-store",
      signal: AbortSignal.timeout(PATIENCE_MILLISECONDS),
    });
    if (answer.ok) {
      return { state: "ready", words: `ready in ${Math.round(performance.now() - started)} ms`, reason: "" };
    }
    return { state: "failing", words: `not ready (${answer.status})`, reason: await reasonOf(answer) };
  } catch (error) {
    const words = error.name === "TimeoutError" ? "no answer in time" : "not reachable";
    return { state: "failing", words, reason: "" };
  }
}

/** The failing dependencies that a service names, or the gateway's own words. */
async function reasonOf(answer) {
  try {
    const body = await answer.json();
    const failing = Object.entries(body.failing ?? {}).map(([name, reason]) => `${name}: ${reason}`);
    return failing.join("; ") || body.detail || "";
  } catch {
    return "";
  }
}

function addTile(service) {
  const tile = template.content.firstElementChild.cloneNode(true);
  tile.querySelector("h2").textContent = service;
  tile.querySelector(".state").textContent = "asking…";
  list.append(tile);
  return tile;
}

async function refresh(tiles) {
  const answers = await Promise.all(
    [...tiles].map(async ([service, tile]) => {
      const { state, words, reason } = await ask(service);
      tile.dataset.state = state;
      tile.querySelector(".state").textContent = words;
      tile.querySelector(".reason").textContent = reason;
      return state === "ready";
    }),
  );
  const ready = answers.filter(Boolean).length;
  summary.textContent = ready === answers.length ? `All ${ready} services are ready.` : `${ready} of ${answers.length} services are ready.`;
}

async function watch(tiles) {
  // Not setInterval: a slow round must not overlap the next one. A hidden page asks nothing.
  if (!document.hidden) {
    await refresh(tiles);
  }
  setTimeout(() => watch(tiles), EVERY_MILLISECONDS);
}

try {
  const services = await (await fetch("/services.json")).json();
  watch(new Map(services.map((service) => [service, addTile(service)])));
} catch {
  summary.textContent = "The list of services could not be read.";
}
