/** Parts of the page, replaced when the server says that they changed. HTML comes from our own server alone, escaped there. */

/** Puts a part in its place; what was open stays open, and the focus stays where it was. */
export function replacePart(id, html) {
  const place = document.getElementById(id);
  if (!place) return;
  const made = new DOMParser().parseFromString(`<body>${html}</body>`, 'text/html').body;
  if (made.innerHTML === place.innerHTML) return;
  const focused = place.contains(document.activeElement) ? document.activeElement.id : '';
  const scrolled = [...place.querySelectorAll('.scroll, .flow-wide')].map((one) => one.scrollLeft);
  const open = [...place.querySelectorAll('details')].map((one) => one.open);
  place.replaceChildren(...made.childNodes);
  for (const [i, one] of place.querySelectorAll('.scroll, .flow-wide').entries()) one.scrollLeft = scrolled[i] ?? 0;
  for (const [i, one] of place.querySelectorAll('details').entries()) one.open = open[i] ?? one.open;
  if (focused !== '') document.getElementById(focused)?.focus({ preventScroll: true });
}

function say(word, tone) {
  const badge = document.getElementById('live');
  badge.hidden = false;
  badge.textContent = word;
  badge.className = `badge ${tone}`;
}

/** Only while the page is looked at: a browser keeps six connections to a server, all tabs together. */
export function listen(topic) {
  if (topic === '') return;
  let source;
  const start = () => {
    if (source || document.hidden) return;
    source = new EventSource(`/events?topic=${encodeURIComponent(topic)}`);
    source.addEventListener('open', () => say('live', 'good'));
    source.addEventListener('error', () => say('connecting …', 'bad'));
    source.addEventListener('part', (event) => {
      const { id, html } = JSON.parse(event.data);
      replacePart(id, html);
    });
  };
  const stop = () => {
    source?.close();
    source = undefined;
  };
  document.addEventListener('visibilitychange', () => (document.hidden ? stop() : start()));
  addEventListener('pagehide', stop);
  addEventListener('pageshow', start);
  start();
}
