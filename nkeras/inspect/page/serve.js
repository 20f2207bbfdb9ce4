// A page that nkeras serves: it asks the real model, and follows its training.

let isAsking = false, wanted = null;

/** Ask the model for inputs; of those that come while it answers, the last. */
async function ask(inputs) {
  wanted = inputs;
  if (isAsking) return;
  isAsking = true;
  while (wanted) {
    const body = JSON.stringify({ inputs: wanted.map(({ data }) => [...data]) });
    wanted = null;
    const answer = await fetch("run", { method: "POST", headers: { "Content-Type": "application/json" }, body }).then(found => found.json(), () => null);
    if (!answer || answer.error) { serverNote(answer ? answer.error : "The server has ended."); continue; }
    shown.own = answer.values.map(about => about && { shape: about.shape.slice(1), data: numbers(about), step: 1 });
    choose(-1);
  }
  isAsking = false;
}

function serverNote(words) { document.getElementById("title").title = words; }

/** Take the moments of training that the page has not. */
async function follow() {
  const found = await fetch(`news?have=${page.moments.length}`).then(answer => answer.json(), () => null);
  if (!found) { serverNote("The server has ended."); return; }
  const wasLast = shown.moment === page.moments.length - 1;
  for (const { title, boxes: facts, texts } of found.moments) {
    page.moments.push(title);
    for (const [name, text] of Object.entries(texts)) news.set(name, text);
    boxes.forEach((box, number) => box.moments.push(facts[number]));
  }
  page.history = found.history;
  if (found.moments.length) {
    if (wasLast) setMoment(page.moments.length - 1);
    showTraining();
    if (wasLast && shown.sample >= 0) choose(shown.sample);
  }
  setTimeout(follow, 1000);
}
