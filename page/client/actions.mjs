/**
 * Pause, resume, stop, retry, abandon, fork: asked first, then sent with the token. It comes in the address's fragment, which no
 * server and no log sees, and is kept for this tab alone.
 */
const KEY = 'startrail-token';

function token() {
  const shown = new URLSearchParams(location.hash.slice(1)).get('token');
  if (shown) {
    sessionStorage.setItem(KEY, shown);
    history.replaceState(null, '', location.pathname + location.search);
  }
  return sessionStorage.getItem(KEY) ?? '';
}

function wishOf(form) {
  const data = new FormData(form);
  const wish = {};
  for (const name of ['from', 'iterations']) if (data.get(name)) wish[name] = Number(data.get(name));
  if (data.has('set'))
    wish.set = String(data.get('set'))
      .split('\n')
      .map((line) => line.trim())
      .filter(Boolean);
  return wish;
}

async function send(form) {
  const { run, send: action } = form.dataset;
  const answer = await fetch(`/runs/${encodeURIComponent(run)}/${action}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token()}` },
    body: JSON.stringify(wishOf(form)),
  });
  const said = await answer.json();
  if (!answer.ok) throw new Error(said.message);
  return said;
}

function tell(text) {
  const place = document.getElementById('told');
  place.textContent = text;
  setTimeout(() => {
    if (place.textContent === text) place.textContent = '';
  }, 8_000);
}

async function submitted(form) {
  const dialog = form.closest('dialog');
  const refused = form.querySelector('.refused');
  const button = form.querySelector('[type=submit]');
  refused.hidden = true;
  button.disabled = true;
  try {
    const { run, said } = await send(form);
    dialog.close();
    tell(said);
    if (run !== form.dataset.run) location.assign(`/runs/${encodeURIComponent(run)}`);
  } catch (error) {
    refused.textContent = error.message;
    refused.hidden = false;
  } finally {
    button.disabled = false;
  }
}

export function watchActions() {
  token();
  document.addEventListener('click', (event) => {
    const { action, cancel } = event.target.closest?.('[data-action], [data-cancel]')?.dataset ?? {};
    if (action !== undefined) document.querySelector(`[data-confirm="${action}"]`)?.showModal();
    if (cancel !== undefined) event.target.closest('dialog').close();
  });
  document.addEventListener('submit', (event) => {
    if (event.target.dataset.send === undefined) return;
    event.preventDefault();
    void submitted(event.target);
  });
}
